"""What a model's container does in its life, on the reference's model and small data: it trains, serves, and monitors what it served.

    python -m tests.support.container_life FOLDER

AWS is moto, in this process, by address: a name that is asked for meanwhile was asked for by the container itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import boto3
from moto.server import ThreadedMotoServer

from cli import rows
from localcloud.testing.isolation import isolate
from tests import reference
from tests.support.container import SYNTHETIC, command, variables

SERVED = 15  # seconds that a server is up at least: where nothing else runs, telemetry that is on is seen within twelve
HOME = "home"  # the folder of what is written for a user
BUCKET, ENDPOINT, VARIANT = "served", "scores", "live"
REGION: Literal["eu-central-1"] = "eu-central-1"


def main(folder: Path) -> None:
    isolate()
    os.environ["HOME"] = str(folder / HOME)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    _, port = moto.get_host_and_port()
    try:
        live(folder, f"http://127.0.0.1:{port}")
    finally:
        moto.stop()


def live(folder: Path, aws: str) -> None:
    """The container's life. Raises CalledProcessError or AssertionError where one of its commands fails."""
    training, monitoring = folder / "training", folder / "monitoring"
    data = training / "input/data/data/data.csv"
    data.parent.mkdir(parents=True)
    subprocess.run([sys.executable, SYNTHETIC, "--rows", "4000", "--seed", "3", "--out", str(data)], check=True)
    subprocess.run(command("prepare", "train", "evaluate"), env=variables(training), check=True)
    captured, version = serve(training, data)
    packed = monitoring / "processing/input/model/model.tar.gz"
    packed.parent.mkdir(parents=True)
    with tarfile.open(packed, "w:gz") as archive:
        for file in (training / "model").iterdir():
            archive.add(file, file.name)
    subprocess.run(command("monitor"), env=variables(monitoring) | window(aws, captured, version), check=True)
    assert json.loads((monitoring / "processing/report/monitor.json").read_text())["rows"] == 200


def serve(root: Path, data: Path) -> tuple[str, str]:
    """Have a server score 200 rows; the request log's lines of it, and the model's version."""
    request = {"instances": [rows.request(row, reference.model()) for row in rows.read(data, reference.model().data)[:200]]}
    port, began = 8080, time.monotonic()
    with subprocess.Popen(command("serve"), env=variables(root, SAGEMAKER_BIND_TO_PORT=str(port))) as server:
        try:
            while (answer := asked(port, "/ping")) is None and server.poll() is None:
                time.sleep(0.1)
            assert answer is not None, "the server does not start"
            version = json.loads(asked(port, "/invocations", {"describe": True}) or "{}")["model_version"]
            while time.monotonic() < began + SERVED:
                answer = asked(port, "/invocations", request)
                assert answer
        finally:
            server.terminate()
    return capture(json.dumps(request), str(answer)), version


def asked(port: int, path: str, body: Any = None) -> str | None:
    """An answer of the server; None while there is none."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - http, as above
            text: bytes = answer.read()
            return text.decode()
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
    except urllib.error.URLError:
        return None


def capture(request: str, answer: str) -> str:
    """A line of the request log, as SageMaker's data capture writes it."""
    kinds = {"observedContentType": "application/json", "encoding": "JSON"}
    data = {"endpointInput": {**kinds, "mode": "INPUT", "data": request}, "endpointOutput": {**kinds, "mode": "OUTPUT", "data": answer}}
    at = datetime.now(UTC) - timedelta(hours=1)
    about = {"eventId": "1", "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    return json.dumps({"captureData": data, "eventMetadata": about, "eventVersion": "0"}) + "\n"


def window(aws: str, captured: str, version: str) -> dict[str, str]:
    """What the monitoring pipeline gives its step, once the request log is in S3 and the topic is there."""
    s3, sns = boto3.client("s3", endpoint_url=aws, region_name=REGION), boto3.client("sns", endpoint_url=aws, region_name=REGION)
    at = datetime.now(UTC) - timedelta(hours=1)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key=f"capture/{version}/{ENDPOINT}/{VARIANT}/{at:%Y/%m/%d/%H}/a.jsonl", Body=captured.encode())
    return {
        "AWS_ENDPOINT_URL": aws,
        "AWS_DEFAULT_REGION": REGION,
        "MODEL_VERSION": version,
        "ENDPOINT_NAME": ENDPOINT,
        "VARIANT": VARIANT,
        "CAPTURE_URI": f"s3://{BUCKET}/capture",
        "LABELS_URI": f"s3://{BUCKET}/labels",
        "REPORT_URI": f"s3://{BUCKET}/monitor/1",
        "METRICS_NAMESPACE": "Scores",
        "TOPIC_ARN": sns.create_topic(Name="drift")["TopicArn"],
        "WINDOW_END": datetime.now(UTC).isoformat(),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
