"""The stack that serves a model, on localcloud: its alarms see what they should, and what they see takes a deployment back."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from config import CONFIG, Account, Config, Environment
from localcloud.cloud import Cloud
from model_code.spec import Alarms, Deployment, OffHours, Serving, load
from stacks.serving import Serving as ServingStack
from tests.localcloud.running import ACCOUNT, REGION, Running
from tests.localcloud.support import Aws

pytestmark = pytest.mark.slow
HERE = Account(id=ACCOUNT, region=REGION)
LIVE = Environment(name="live", account=HERE, approved_only=False)
SPEED = 120  # a minute lasts half a second
TABLE = Serving(
    instance_type="ml.m5.large",
    instances=2,
    maximum_instances=4,
    concurrency_per_instance=50,
    off_hours=OffHours(start="20:00", end="06:00", timezone="Europe/Berlin", weekends=True, instances=2, maximum_instances=2),
    deployment=Deployment(policy="canary", size_percent=50, bake_minutes=10),
    alarms=Alarms(cpu_percent=99.9, model_latency_p99_ms=60_000, overhead_latency_p99_ms=60_000),  # this machine is busy with tests
)
PROGRAM = """
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = json.loads((Path(os.environ["ML_ROOT"]) / "model/model.json").read_text())

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if MODEL["works"]:
            about = {"event": "scores", "model_version": MODEL["version"], "rows": 500}
            print(json.dumps(about | {name: MODEL["score"] for name in ("mean", "p10", "p50", "p90")}), flush=True)
        self.answer(200 if MODEL["works"] else 500, MODEL["version"].encode())
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
DOCKERFILE = 'FROM python:3.11-slim\nWORKDIR /opt/app\nCOPY program.py program.py\nENTRYPOINT ["python", "program.py"]\nCMD ["serve"]\n'


class Remote(Cloud):
    """A cloud in another process, for what pushes images to it."""

    def __init__(self, running: Running, root: Path) -> None:
        super().__init__(root=root, url=running.state["url"], region=REGION, speed=SPEED)
        self._accounts = running.state["accounts"]

    def administrator(self, account: str) -> dict[str, str]:
        return {**self._accounts[account], "AWS_SESSION_TOKEN": ""}  # that of the tests' environment is made up


@dataclass(frozen=True)
class Place:
    """A cloud with a repository, a bucket, an image and the template of a serving stack."""

    cloud: Running
    image: str
    bucket: str
    template: dict[str, Any]

    @property
    def endpoint(self) -> str:
        return str(self.template["Resources"]["LiveEndpoint694423AB"]["Properties"]["EndpointName"])

    def deploy(self, version: str, before: str = "none", *, works: bool = True, score: float = 0.5, urgent: str = "no") -> dict[str, str]:
        """Deploy a version of a model; returns the stack's outputs once CloudFormation is done."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            body = json.dumps({"version": version, "works": works, "score": score}).encode()
            info = tarfile.TarInfo("model.json")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        key = f"runs/{version}/model.tar.gz"
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=archive.getvalue())
        values = {
            "ModelPackageArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/paved-road-lead-scoring/1",
            "ImageUri": self.image,
            "ModelDataUrl": f"s3://{self.bucket}/{key}",
            "ModelVersion": version,
            "PreviousModelVersion": before,
            "Urgent": urgent,
        }
        return self._change([{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()])

    def _change(self, parameters: list[dict[str, str]]) -> dict[str, str]:
        cloudformation = self.cloud.client("cloudformation")
        kind = "UPDATE" if cloudformation.describe_stacks()["Stacks"] else "CREATE"
        named = {"StackName": "serving", "ChangeSetName": "change"}
        cloudformation.create_change_set(
            **named,
            ChangeSetType=kind,
            TemplateBody=json.dumps(self.template),
            Parameters=parameters,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        cloudformation.execute_change_set(**named)
        cloudformation.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName="serving", WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        cloudformation.delete_change_set(**named)
        (stack,) = cloudformation.describe_stacks(StackName="serving")["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def served(self) -> str:
        return str(self.cloud.client("sagemaker").describe_endpoint(EndpointName=self.endpoint)["EndpointConfigName"])

    def ask(self) -> str:
        answer = self.cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=self.endpoint, Body=b"row", ContentType="text/csv")
        return str(answer["Body"].read().decode())

    def alarms(self) -> set[str]:
        """Names of all alarms but those by which scaling works."""
        names = (alarm["AlarmName"] for alarm in self.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"])
        return {name for name in names if not name.startswith("TargetTracking-")}

    def rang(self) -> set[str]:
        """Names of the alarms that ever rang."""
        history = self.cloud.client("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        ringing = [item for item in history if json.loads(item["HistoryData"])["newState"]["stateValue"] == "ALARM"]
        return {item["AlarmName"] for item in ringing if not item["AlarmName"].startswith("TargetTracking-")}

    @contextmanager
    def load(self) -> Iterator[None]:
        """Ask all the time; a broken version may answer with an error of its own."""
        ended = threading.Event()

        def run() -> None:
            errors = self.cloud.client("sagemaker-runtime").exceptions
            while not ended.wait(0.02):
                with suppress(errors.ModelError):
                    self.ask()

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, root = tmp_path_factory.mktemp("serving"), tmp_path_factory.mktemp("serving-cloud")
    config = replace(CONFIG, toolchain=HERE, environments=(LIVE,))
    (folder / "image").mkdir()
    (folder / "image/Dockerfile").write_text(DOCKERFILE)
    (folder / "image/program.py").write_text(PROGRAM)
    with Running(root, speed=SPEED) as cloud:
        aws = Aws(Remote(cloud, root))
        aws.client("s3").create_bucket(Bucket=(bucket := _bucket(config)), CreateBucketConfiguration={"LocationConstraint": REGION})
        aws.client("ecr").create_repository(repositoryName="paved-road/lead-scoring")
        repository = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/paved-road/lead-scoring"
        assert aws.docker("build", "-t", f"{repository}:1", str(folder / "image")).returncode == 0
        pushed = aws.docker("push", f"{repository}:1")
        assert pushed.returncode == 0, pushed.stderr
        digest = pushed.stdout.split("digest: ")[1].split()[0]
        yield Place(cloud, f"{repository}@{digest}", bucket, _template(config, folder))


def _bucket(config: Config) -> str:
    return config.name("lead_scoring", "artifacts", ACCOUNT)


def _template(config: Config, folder: Path) -> dict[str, Any]:
    app = App(outdir=str(folder / "cdk.out"))
    model = load("lead_scoring").model_copy(update={"serving": {"live": TABLE}})
    ServingStack(app, "serving", config=config, model=model, environment=LIVE)
    template: dict[str, Any] = json.loads(Path(app.synth().get_stack_by_name("serving").template_full_path).read_text())
    del template["Parameters"]["BootstrapVersion"], template["Rules"]  # this cloud was not bootstrapped
    return template


def test_versions_come_and_go_under_alarms(place: Place) -> None:
    """One story, because each chapter begins with what the one before has left."""
    first = place.deploy("0" * 12)
    assert place.served() == first["EndpointConfigName"]
    standing = {f"{place.endpoint}-ServerErrors", f"{place.endpoint}-ModelLatency"}
    guards = set(first["RollbackAlarms"].split(","))
    assert len(guards) == 7
    assert place.alarms() == guards | standing
    filters = place.cloud.client("logs").describe_metric_filters(logGroupName=first["LogGroup"])["metricFilters"]
    assert len(filters) == 6

    with place.load():
        good = place.deploy("1" * 12, "0" * 12)
        assert place.served() == good["EndpointConfigName"]
        assert place.alarms() == {*good["RollbackAlarms"].split(","), *standing}

        broken = place.deploy("2" * 12, "1" * 12, works=False)
        assert place.served() == good["EndpointConfigName"] != broken["EndpointConfigName"]
        assert f"{broken['EndpointConfigName']}-ServerErrors" in place.rang()

        shifted = place.deploy("3" * 12, "1" * 12, score=0.8)
        assert place.served() == good["EndpointConfigName"]
        assert {name for name in place.rang() if name.startswith(shifted["EndpointConfigName"])} == {
            f"{shifted['EndpointConfigName']}-ScoreShift"
        }

        hurried = place.deploy("3" * 12, "1" * 12, score=0.8, urgent="yes")
        assert place.ask() == "3" * 12
        assert place.served() == hurried["EndpointConfigName"]
    assert not any("ServerErrors" in name or "ScoreShift" in name for name in place.rang() if name.startswith(good["EndpointConfigName"]))
