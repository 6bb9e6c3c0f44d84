"""Hosts of one job find each other by the names that SageMaker gives them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sagemaker_jobs import ended, processing

from localcloud.ecr import host_names
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name

pytestmark = pytest.mark.laptop("how localcloud gives hosts their names")

# The first host listens on its own name; the others ask it by that name until it answers.
PROGRAM = """
import json, os, pathlib, socket, sys, time
about = json.loads(pathlib.Path(os.environ["ML_ROOT"], "config/resourceconfig.json").read_text())
first, *others = about["hosts"]
port = int(os.environ["PORT"])
if about["current_host"] == first:
    with socket.create_server((first, port)) as server:
        for _ in others:
            connection, _ = server.accept()
            connection.sendall(b"hello from " + first.encode())
            connection.close()
else:
    while True:
        try:
            with socket.create_connection((first, port)) as connection:
                print(about["current_host"], "was told", connection.recv(99).decode(), flush=True)
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="names of hosts take root")
def test_two_hosts_of_a_job_meet_by_name(aws: Aws, image: str, name: Name) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cluster = {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
    processing(
        aws,
        image,
        name("job"),
        AppSpecification={"ImageUri": image, "ContainerEntrypoint": ["python", "-c", PROGRAM]},
        ProcessingResources={"ClusterConfig": cluster},
        ProcessingOutputConfig={"Outputs": []},
        Environment={"PORT": str(port)},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )

    job = ended(aws, "processing", name("job"))
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert "algo-2 was told hello from algo-1" in aws.lines("/aws/sagemaker/ProcessingJobs", name("job"))
    with pytest.raises(socket.gaierror):
        socket.gethostbyname("algo-1")


def test_one_host_needs_no_names(tmp_path: Path) -> None:
    assert host_names.command(["serve"], ["algo-1"], tmp_path) == ["serve"]
    assert list(tmp_path.iterdir()) == []
