"""What only Docker shows of an image that it runs. The tests of jobs and endpoints run by it as well, unchanged."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from sagemaker_jobs import ended, training

from localcloud.ecr import engine
from localcloud.testing import REPOSITORY
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("Docker beside localcloud")

REACH = "import os, socket, urllib.parse as u; socket.create_connection(('127.0.0.1', u.urlparse(os.environ['CLOUD']).port)).close()"


def containers() -> list[str]:
    """The names of the containers that run."""
    listed = subprocess.run(["docker", "ps", "--format", "{{.Names}}"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


@pytest.mark.containers
def test_what_was_pushed_lies_in_a_registry_under_the_digest_that_ecr_has(aws: Aws, image: str) -> None:
    assert aws.cloud.engine
    repository, _, digest = image.partition("@")
    account, _, rest = REPOSITORY.partition(".dkr.ecr.")
    region, _, name = rest.partition(".amazonaws.com/")
    url = f"http://{aws.cloud.engine.registry}/v2/{account}/{region}/{name}/manifests/{digest}"
    accepted = urllib.request.Request(url, headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"})
    with urllib.request.urlopen(accepted) as answer:  # noqa: S310 - the same
        assert answer.headers["Docker-Content-Digest"] == digest

    listed = aws.client("ecr").describe_images(repositoryName=repository.partition("/")[2])["imageDetails"]
    assert digest in {detail["imageDigest"] for detail in listed}


@pytest.mark.containers
@pytest.mark.parametrize(("isolated", "status"), [(True, "Failed"), (False, "Completed")])
def test_an_isolated_job_has_no_network(aws: Aws, image: str, name: Name, isolated: bool, status: str) -> None:
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File", "ContainerEntrypoint": ["python", "-c", REACH]}
    environment = {"CLOUD": aws.cloud.url}
    training(aws, image, name("j"), AlgorithmSpecification=algorithm, Environment=environment, EnableNetworkIsolation=isolated)

    job = ended(aws, "training", name("j"))

    assert job["TrainingJobStatus"] == status, job.get("FailureReason")
    assert not isolated or "exit code: 1" in job["FailureReason"]


@pytest.mark.containers
def test_no_container_outlives_its_cloud(docker: engine.Engine, tmp_path: Path) -> None:
    """Not even one that was killed without a word."""
    assert docker
    before = set(containers())
    program = Path(__file__).parents[1] / "core/hanging_cloud.py"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, os.environ.get("PYTHONPATH", "")]))}
    command = [sys.executable, str(program), str(tmp_path / "cloud"), "--containers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as cloud:
        assert cloud.stdout
        cloud.stdout.readline()
        began = set(containers()) - before
        cloud.kill()

    assert len(began) == 2
    until(lambda: not began & set(containers()))


def test_without_docker_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(engine.NoEngine, match="there is no docker on PATH: install Docker, or leave --containers out"):
        engine.start(tmp_path)


def test_a_docker_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(engine.NoEngine, match=r"Docker does not answer \(Cannot connect to the Docker daemon\): start it"):
        engine.start(tmp_path)
