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

import naming
from config import Account, Environment, SharedEndpoint
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.running import Running
from paved_runtime.spec import Alarms, Component, Deployment, ModelSpec, OffHours, Serverless, Serving
from pipelines.deployment import live, readback
from pipelines.deployment.package import Package
from pipelines.deployment.readback import TakenBack
from pipelines.serving_stack import COMPONENT, NO, NO_VERSION, YES, ServingOutputs, ServingParameters
from stacks.serving import Serving as ServingStack
from stacks.shared_endpoints import SharedEndpoints
from tests import reference
from tests.reference import MODEL
from tests.support.fakes import AT_ONCE

pytestmark = [pytest.mark.slow, pytest.mark.laptop("its endpoint bakes at the speed of localcloud")]
HERE = Account(id=ACCOUNT, region=REGION)
LIVE = Environment(name="live", account=HERE, approved_only=False)
RARE = replace(LIVE, name="rare")  # whose endpoint is serverless
MANY = SharedEndpoint(name="many", instance_type="ml.m5.large", minimum_instances=0, maximum_instances=3)
COMMON = replace(LIVE, name="common", shared_endpoints=(MANY,))  # whose endpoint is shared
CONFIG = replace(reference.CONFIG, toolchain=HERE, environments=(LIVE, RARE, COMMON))
BUCKET = naming.artifacts_bucket(CONFIG, MODEL)
REPOSITORY = naming.image_repository(CONFIG, MODEL)
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{naming.model_package_group(CONFIG, MODEL)}/1"
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
ON_DEMAND = Serving(
    serverless=Serverless(memory_mb=1024, maximum_concurrency=4, setup_seconds=180),
    deployment=Deployment(policy="all-at-once", bake_minutes=10),
    alarms=Alarms(model_latency_p99_ms=60_000),
)
SHARED = Serving(
    component=Component(endpoint=MANY.name, memory_mb=512, copies=2),
    deployment=Deployment(policy="rolling", bake_minutes=5),
    alarms=Alarms(model_latency_p99_ms=60_000, overhead_latency_p99_ms=60_000),
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


@dataclass(frozen=True)
class Place:
    """A cloud with a repository, a bucket, an image and the template of an environment's serving stack."""

    cloud: Running
    image: str
    environment: Environment
    template: dict[str, Any]

    @property
    def endpoint(self) -> str:
        return naming.endpoint(CONFIG, MODEL, self.environment)

    @property
    def standing(self) -> set[str]:
        """The alarms that are the endpoint's own."""
        return {naming.alarm(CONFIG, MODEL, self.environment, kind) for kind in (naming.SERVER_ERRORS, naming.MODEL_LATENCY)}

    def deploy(self, version: str, before: str = NO_VERSION, *, works: bool = True, score: float = 0.5, urgent: str = NO) -> ServingOutputs:
        """Deploy a version of a model; returns the stack's outputs once CloudFormation is done."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            body = json.dumps({"version": version, "works": works, "score": score}).encode()
            info = tarfile.TarInfo("model.json")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        key = f"{naming.RUNS}/{version}/{naming.MODEL_ARCHIVE}"
        self.cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive.getvalue())
        parameters = ServingParameters(
            model_package_arn=PACKAGE,
            image_uri=self.image,
            model_data_url=f"s3://{BUCKET}/{key}",
            model_version=version,
            previous_model_version=before,
            urgent=urgent,
        )
        declared = {name: value for name, value in parameters.values().items() if name in self.template["Parameters"]}
        outputs = self._change(self.environment.name, self.template, declared)
        return ServingOutputs.read(outputs)

    def share(self, template: dict[str, Any]) -> None:
        """Deploy the stack of the endpoints that models share."""
        self._change(f"{self.environment.name}-shared", template, {})

    def _change(self, name: str, template: dict[str, Any], values: dict[str, str]) -> dict[str, str]:
        """Deploy a stack; its outputs."""
        cloudformation = self.cloud.client("cloudformation")
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        kind = "UPDATE" if name in {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]} else "CREATE"
        named = {"StackName": name, "ChangeSetName": "change"}
        cloudformation.create_change_set(
            **named,
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            Parameters=parameters,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        cloudformation.execute_change_set(**named)
        cloudformation.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})
        cloudformation.delete_change_set(**named)
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def package(self, version: str) -> Package:
        """A version as its package has it."""
        data = f"s3://{BUCKET}/{naming.RUNS}/{version}/{naming.MODEL_ARCHIVE}"
        return Package(arn=PACKAGE, image=self.image, data=data, status="Approved", approval="")

    def served(self) -> str:
        if self.environment == COMMON:
            described = self.cloud.client("sagemaker").describe_inference_component(InferenceComponentName=self.endpoint)
            return str(described["Specification"]["ModelName"])
        return str(self.cloud.client("sagemaker").describe_endpoint(EndpointName=self.endpoint)["EndpointConfigName"])

    def ask(self) -> str:
        asked = {"EndpointName": self.endpoint}
        if self.environment == COMMON:
            asked = {"EndpointName": naming.shared_endpoint(CONFIG, COMMON, MANY.name), "InferenceComponentName": self.endpoint}
        answer = self.cloud.client("sagemaker-runtime").invoke_endpoint(**asked, Body=b"row", ContentType="text/csv")
        return str(answer["Body"].read().decode())

    def alarms(self) -> set[str]:
        """Names of all alarms about the endpoint but those by which scaling works."""
        alarms = self.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
        own = {alarm["AlarmName"] for alarm in alarms if alarm.get("AlarmDescription", "").startswith(f"{self.endpoint}: ")}
        return {name for name in own if not name.startswith("TargetTracking-")}

    def alarmed(self) -> set[str]:
        """Names of the alarms that ever went into ALARM."""
        history = self.cloud.client("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        into = [item for item in history if json.loads(item["HistoryData"])["newState"]["stateValue"] == "ALARM"]
        return {item["AlarmName"] for item in into if not item["AlarmName"].startswith("TargetTracking-")}

    @contextmanager
    def load(self) -> Iterator[None]:
        """Ask all the time; a broken version may answer with an error of its own."""
        ended = threading.Event()

        def run() -> None:
            errors = self.cloud.client("sagemaker-runtime").exceptions
            while not ended.wait(0.02):
                with suppress(errors.ModelError, errors.ServiceUnavailable):
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
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """The places of one cloud, by their environments."""
    folder, root = tmp_path_factory.mktemp("serving"), tmp_path_factory.mktemp("serving-cloud")
    (folder / "image").mkdir()
    (folder / "image/Dockerfile").write_text(DOCKERFILE)
    (folder / "image/program.py").write_text(PROGRAM)
    with Running(root, speed=SPEED) as cloud:
        cloud.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        cloud.client("ecr").create_repository(repositoryName=REPOSITORY)
        image = cloud.docker().image(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}:1", folder / "image")
        places = {each.name: Place(cloud, image, each, _template(folder, each)) for each in CONFIG.environments}
        places[COMMON.name].share(_shared_template(folder))
        yield places


@pytest.fixture
def place(places: dict[str, Place]) -> Place:
    """Where the endpoint has instances."""
    return places[LIVE.name]


def _model() -> ModelSpec:
    return reference.model().model_copy(update={"serving": {LIVE.name: TABLE, RARE.name: ON_DEMAND, COMMON.name: SHARED}})


def _template(folder: Path, environment: Environment) -> dict[str, Any]:
    app = App(outdir=str(folder / environment.name))
    ServingStack(app, environment.name, config=CONFIG, model=_model(), environment=environment)
    return _read(app, environment.name)


def _shared_template(folder: Path) -> dict[str, Any]:
    app = App(outdir=str(folder / "shared"))
    SharedEndpoints(app, "shared", config=CONFIG, environment=COMMON)
    return _read(app, "shared")


def _read(app: App, name: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(Path(app.synth().get_stack_by_name(name).template_full_path).read_text())
    del template["Parameters"]["BootstrapVersion"], template["Rules"]  # this cloud was not bootstrapped
    return template


def test_a_serverless_endpoint_takes_a_version_and_gives_a_bad_one_back(places: dict[str, Place]) -> None:
    place = places[RARE.name]
    first = place.deploy("0" * 12)
    assert place.ask() == "0" * 12
    assert place.alarms() == {*first.alarms, *place.standing}
    assert {alarm.rpartition("-")[2] for alarm in first.alarms} == {
        *("ServerErrors", "ClientErrors", "ModelLatency", "ModelSetup", "Memory", "ScoreShift")
    }

    with place.load():
        good = place.deploy("1" * 12, "0" * 12)
        broken = place.deploy("2" * 12, "1" * 12, works=False)

    assert place.served() == good.endpoint_config_name != broken.endpoint_config_name
    assert f"{broken.endpoint_config_name}-ServerErrors" in place.alarmed()
    assert place.ask() == "1" * 12


def test_a_component_takes_a_version_and_gives_a_bad_one_back(places: dict[str, Place]) -> None:
    place = places[COMMON.name]
    first = place.deploy("0" * 12)
    assert first.endpoint_name == f"{COMPONENT}{place.endpoint}"
    assert place.ask() == "0" * 12
    assert {alarm.rpartition("-")[2] for alarm in first.alarms} == {
        *("ServerErrors", "ClientErrors", "ModelLatency", "OverheadLatency", "ScoreShift")
    }

    with place.load():
        good = place.deploy("1" * 12, "0" * 12)
        assert place.served() == good.endpoint_config_name
        broken = place.deploy("2" * 12, "1" * 12, works=False)

    assert place.served() == good.endpoint_config_name != broken.endpoint_config_name
    assert f"{broken.endpoint_config_name}-ServerErrors" in place.alarmed()
    sagemaker = place.cloud.client("sagemaker")
    now = live.live(sagemaker, good.endpoint_name)
    assert now
    assert (now.status, now.endpoint_config, now.moving) == ("InService", good.endpoint_config_name, False)
    with pytest.raises(TakenBack, match="went into ALARM state"):
        readback.served(sagemaker, broken, place.package("2" * 12), AT_ONCE)
    urgent = place.deploy("3" * 12, "1" * 12, urgent=YES)
    assert readback.served(sagemaker, urgent, place.package("3" * 12), AT_ONCE).instances == 2
    assert place.served() == urgent.endpoint_config_name
    assert place.ask() == "3" * 12


def test_versions_come_and_go_under_alarms(place: Place) -> None:
    """One story, because each chapter begins with what the one before has left."""
    first = place.deploy("0" * 12)
    assert place.served() == first.endpoint_config_name
    assert len(set(first.alarms)) == 7
    assert place.alarms() == {*first.alarms, *place.standing}
    filters = place.cloud.client("logs").describe_metric_filters(logGroupName=first.log_group)["metricFilters"]
    assert len(filters) == 6

    with place.load():
        good = place.deploy("1" * 12, "0" * 12)
        assert place.served() == good.endpoint_config_name
        assert place.alarms() == {*good.alarms, *place.standing}

        broken = place.deploy("2" * 12, "1" * 12, works=False)
        assert place.served() == good.endpoint_config_name != broken.endpoint_config_name
        assert f"{broken.endpoint_config_name}-ServerErrors" in place.alarmed()

        shifted = place.deploy("3" * 12, "1" * 12, score=0.8)
        assert place.served() == good.endpoint_config_name
        assert {name for name in place.alarmed() if name.startswith(shifted.endpoint_config_name)} == {
            f"{shifted.endpoint_config_name}-ScoreShift"
        }

        urgent = place.deploy("3" * 12, "1" * 12, score=0.8, urgent=YES)
        assert place.ask() == "3" * 12
        assert place.served() == urgent.endpoint_config_name
    assert not any("ServerErrors" in name or "ScoreShift" in name for name in place.alarmed() if name.startswith(good.endpoint_config_name))
