"""Production as the stacks make it, on a localcloud: versions that do what they are told, and stages that run with their own roles.

No road leads to it: a version is uploaded, proven and approved as the road would have done. Time runs fast enough that a bake is a second.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from aws_cdk import App
from botocore.exceptions import ClientError

from app import build
from config import CONFIG
from model_code.spec import Alarms, Deployment, Serving, load
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from pipelines.steps import ledger, package
from pipelines.steps import stack as stacks
from pipelines.steps.deploy import versions
from tests.localcloud.running import REGION, ROOT, Running
from tests.pipelines.evidence import sample
from tests.pipelines.evidence.world import DATA, World, source
from tests.stacks.conftest import CONTEXT

MODEL = "lead_scoring"
SPEED = 150.0
ENVIRONMENT = CONFIG.environments[-1]
HOME, AWAY = CONFIG.toolchain.id, ENVIRONMENT.account.id
WATCH = CONFIG.stack(MODEL.replace("_", "-"), "Watch", ENVIRONMENT.name)
IMAGE = Path(__file__).parent / "image"
DOCKER = ROOT / "localcloud/bin/docker"
Json = dict[str, Any]


def assembly(folder: Path, policy: Literal["canary", "shadow"] = "canary") -> Path:
    """Every stack, with a canary in production that bakes as shortly as it may. Only errors and scores can bring it back."""
    model = load(MODEL)
    calm = Alarms(model_latency_p99_ms=60_000, overhead_latency_p99_ms=60_000, score_rows=5, cpu_percent=99.9, memory_percent=99.9)
    canary = Deployment(policy=policy, size_percent=50, bake_minutes=4)
    production = Serving(instance_type="ml.m5.large", instances=2, deployment=canary, alarms=calm, capture_percent=1)
    app = App(outdir=str(folder), context=CONTEXT)
    build(app, CONFIG, [model.model_copy(update={"serving": {**model.serving, "production": production}})])
    app.synth()
    return folder


class Production:
    """One model's production: `versions` are the ARNs of what was registered, oldest first."""

    def __init__(self, cloud: Running, folder: Path, policy: Literal["canary", "shadow"] = "canary") -> None:
        self.cloud, self.folder = cloud, folder
        self.assembly = assembly(folder / "cdk.out", policy)
        self.stack = CONFIG.stack("lead-scoring", "Serving", ENVIRONMENT.name)
        self.endpoint = CONFIG.name(MODEL, ENVIRONMENT.name)
        self.stage = CONFIG.name(MODEL, "deploy", ENVIRONMENT.name)
        self._numbers = itertools.count(1)
        self._bootstrap()
        for stack in (CONFIG.stack("lead-scoring", "Workshop"), CONFIG.stack("Toolchain")):
            self._create(stack)
        self.image = self._image()

    def away(self, service: str) -> Any:
        """A client in production's account."""
        return self.cloud.client(service, AWAY)

    def fact(self, key: str) -> str:
        """What the workshop tells of itself."""
        return str(self.cloud.client("ssm").get_parameter(Name=CONFIG.parameter(MODEL, key))["Parameter"]["Value"])

    @cached_property
    def artifacts(self) -> str:
        """`s3://bucket`."""
        return f"s3://{self.fact('artifacts-bucket')}"

    @cached_property
    def signer(self) -> Signer:
        """The key of the model's evidence."""
        return Signer(kms=self.cloud.client("kms"), key=self.fact("evidence-key"))

    @property
    def ledger(self) -> list[LedgerEntry]:
        """What production has served, oldest first."""
        return ledger.entries(self.cloud.client("s3"), self.signer, self.artifacts, ENVIRONMENT.name)

    def version(self, **does: float) -> str:
        """A version that was registered, proven and approved; its model package's ARN."""
        number = next(self._numbers)
        s3, sagemaker = self.cloud.client("s3"), self.cloud.client("sagemaker")
        model_data = f"{self.artifacts}/runs/{number}/train/output/model.tar.gz"
        data_uri = f"s3://{self.fact('data-bucket')}/data.csv"
        origin = {"commit": sample.COMMIT, "data_sha256": document.sha256(DATA), "image_uri": self.image}
        files = {
            "model.onnx": {**does, "number": number},
            "evaluation.json": {**sample.content()["evaluation"], **origin},
            "metadata.json": {"model": MODEL, **origin},
            "golden.json": {"requests": [], "bad_requests": [], "tolerance": 1e-6},
        }
        for uri, content in (
            (data_uri, DATA),
            (model_data, packed(files)),
            (pack.report_of(model_data), packed({"report.json": sample.report()})),
            (pack.bill_of_materials(self.artifacts, self.image), b'{"components": []}'),
        ):
            pack.write(s3, uri, content)
        arn = self._register(model_data, {**origin, "data_uri": data_uri})
        world = World(
            s3=s3,
            sagemaker=sagemaker,
            ecr=self.cloud.client("ecr"),
            signer=self.signer,
            stranger=self.signer,
            key=self.fact("key"),
            artifacts=self.artifacts,
            arn=arn,
            training=self._trained(number, origin),
            actions=[source()],
        )
        world.prove()
        world.approve()
        return arn

    def step(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a step's program as Production's stage would."""
        command = [sys.executable, "-m", f"pipelines.steps.{name}", *arguments]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._stages_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a step's program to its end."""
        with self.step(name, *arguments) as running:
            told, said = running.communicate()
        return subprocess.CompletedProcess(name, running.returncode, told, said)

    def deploy(self, arn: str) -> tuple[str, ...]:
        """The arguments with which Production's stage deploys a version."""
        watch = CONFIG.stack("lead-scoring", "Watch", ENVIRONMENT.name)
        return (
            "deploy",
            "--assembly",
            str(self.assembly),
            "--stack",
            self.stack,
            "--stack",
            watch,
            *self._where(),
            *of(arn),
            "--approved-only",
        )

    def shadow(self, arn: str) -> tuple[str, ...]:
        """The arguments with which it compares a version in the shadow, where that is the policy."""
        live = ("--model", MODEL, "--environment", ENVIRONMENT.name)
        return ("shadow", "--assembly", str(self.assembly), "--stack", self.stack, *self._where(), *of(arn), *live)

    def verify(self, arn: str) -> tuple[str, ...]:
        """The arguments with which it verifies."""
        live = ("--model", MODEL, "--environment", ENVIRONMENT.name, "--report", str(self.folder / "verified.json"))
        return ("verify", "--stack", self.stack, "--watch", WATCH, *self._where(), *of(arn), *live, *self._evidence())

    def record(self, arn: str, execution: str) -> tuple[str, ...]:
        """The arguments with which it writes the ledger."""
        about = ("--environment", ENVIRONMENT.name, "--execution", execution, "--verified", str(self.folder / "verified.json"))
        return ("record_deployment", *about, *of(arn), *self._evidence())

    def road(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Type `./road …` against this cloud."""
        own = plain() | {"ROAD_CLOUD": str(self.folder / "cloud")} | variables
        return subprocess.run([sys.executable, "-m", "cli", *arguments], cwd=ROOT, env=own, capture_output=True, text=True)

    def road_on_aws(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type `./road … --target aws` as somebody who has credentials of the toolchain's account and no others."""
        keys = {**self.cloud.state["accounts"][HOME], "AWS_ENDPOINT_URL": self.cloud.state["url"], "AWS_DEFAULT_REGION": REGION}
        return self.road(*arguments, "--target", "aws", **keys)

    def deliver(self, arn: str, execution: str) -> None:
        """Take a version into production as the stage does, under load; it must hold."""
        with self.asked():
            self.shift(arn)
            for arguments in (self.verify(arn), self.record(arn, execution)):
                done = self.run(*arguments)
                assert done.returncode == 0, done.stderr

    def shift(self, arn: str) -> None:
        """Move production to a version as `deploy` does, with CloudFormation alone; returns when CloudFormation says that it is done."""
        cloudformation, sagemaker = self.away("cloudformation"), self.cloud.client("sagemaker")
        stack = stacks.read(cloudformation, self.stack)
        assert stack, "the first version is deployed by the step"
        version = package.read(sagemaker, arn)
        values = versions(self.cloud.client("s3"), sagemaker, self.away("sagemaker"), stack, version)
        stacks.update(cloudformation, stack, {"ModelPackageArn": arn, **values}, poll_seconds=0.1)

    def back_in_line(self) -> None:
        """After a rollback of SageMaker's own, bring the stack to what serves, as a person would."""
        done = self.road("rollback", MODEL, "--reason", f"in line again after {len(self.ledger)}", "--yes")
        assert done.returncode == 0, done.stderr

    @property
    def parameters(self) -> dict[str, str]:
        """The serving stack's."""
        found = stacks.read(self.away("cloudformation"), self.stack)
        assert found
        return dict(found.parameters)

    def model_version(self, arn: str) -> str:
        """How the container of a version names itself."""
        return package.model_version(self.cloud.client("s3"), package.read(self.cloud.client("sagemaker"), arn).data)

    def served(self) -> str:
        """The model package that really serves."""
        sagemaker = self.away("sagemaker")
        live = sagemaker.describe_endpoint(EndpointName=self.endpoint)
        assert live["EndpointStatus"] == "InService"
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])["ProductionVariants"][0]
        return str(sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]["ModelPackageName"])

    def registered(self, arn: str) -> Json:
        """What the registry says of a version."""
        found: Json = self.cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
        return found

    @contextmanager
    def asked(self, clients: int = 2) -> Iterator[Counter[str]]:
        """Ask without a pause while the block runs; counts `answered` and `failed`."""
        found, ended, runtime = Counter[str](), threading.Event(), self.away("sagemaker-runtime")

        def ask() -> None:
            while not ended.wait(0.005):
                try:
                    runtime.invoke_endpoint(EndpointName=self.endpoint, Body=b"{}", ContentType="application/json")
                    found["answered"] += 1
                except ClientError:
                    found["failed"] += 1

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield found
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def _where(self) -> tuple[str, ...]:
        return ("--account", AWAY, "--region", REGION, "--role", CONFIG.name(MODEL, ENVIRONMENT.name, "verifier"))

    def _evidence(self) -> tuple[str, ...]:
        return ("--artifacts", self.artifacts, "--evidence-key", self.signer.key)

    def _stages_environment(self) -> dict[str, str]:
        """As CodeBuild gives it: the keys of the stage's role."""
        iam, arn = self.cloud.client("iam"), f"arn:aws:iam::{HOME}:role/{self.stage}"
        principals = {"Service": "codebuild.amazonaws.com", "AWS": f"arn:aws:iam::{HOME}:root"}  # CodeBuild, and this test in its place
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principals}]}
        iam.update_assume_role_policy(RoleName=self.stage, PolicyDocument=json.dumps(trust))
        keys = self.cloud.assume(arn)
        return {
            **plain(),
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": self.cloud.state["url"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
            "POLL_SECONDS": "0.1",
            "MINUTE_SECONDS": str(60 / SPEED),
            "CI": "true",
        }

    def _bootstrap(self) -> None:
        """As `cdk bootstrap` leaves the accounts, as far as this needs it."""
        admin = {**self.cloud.state["accounts"][AWAY], "AWS_ENDPOINT_URL": self.cloud.state["url"], "AWS_REGION": REGION}
        command = ["cdk", "bootstrap", f"aws://{AWAY}/{REGION}", "--app", "", "--trust", HOME]
        command += ["--cloudformation-execution-policies", "arn:aws:iam::aws:policy/AdministratorAccess"]
        done = subprocess.run(command, env={**plain(), **admin, "CI": "true"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.cloud.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")

    def _create(self, stack: str) -> None:
        cloudformation = self.cloud.client("cloudformation")
        template = (self.assembly / f"{stack}.template.json").read_text()
        cloudformation.create_stack(StackName=stack, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        assert status == "CREATE_COMPLETE", [e.get("ResourceStatusReason") for e in events if "FAILED" in e["ResourceStatus"]]

    def _image(self) -> str:
        name = f"{self.fact('image-repository')}:{sample.COMMIT}"
        env = {
            **plain(),
            **self.cloud.state["accounts"][HOME],
            "AWS_ENDPOINT_URL": self.cloud.state["url"],
            "LOCALCLOUD_PYTHON": sys.executable,
            "LOCALCLOUD_IMAGES": str(Path(self.cloud.state["root"]) / "images"),
        }
        for arguments in (["build", "-t", name, str(IMAGE)], ["push", name]):
            done = subprocess.run([str(DOCKER), *arguments], env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return f"{self.fact('image-repository')}@{done.stdout.split('digest: ')[1].split()[0]}"

    def _register(self, model_data: str, facts: dict[str, str]) -> str:
        types = {"SupportedContentTypes": ["application/json"], "SupportedResponseMIMETypes": ["application/json"]}
        made = self.cloud.client("sagemaker").create_model_package(
            ModelPackageGroupName=CONFIG.name(MODEL),
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={"Containers": [{"Image": self.image, "ModelDataUrl": model_data}], **types},
            CustomerMetadataProperties=facts,
        )
        return str(made["ModelPackageArn"])

    def _trained(self, number: int, told: dict[str, str]) -> str:
        """An execution of the training pipeline whose definition names the version's origin; it comes to nothing."""
        sagemaker, pipeline = self.cloud.client("sagemaker"), CONFIG.name(MODEL, "training")
        refusal = {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": json.dumps(told)}}
        definition = json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [refusal]})
        if number == 1:
            sagemaker.create_pipeline(
                PipelineName=pipeline, PipelineDefinition=definition, RoleArn=self.fact("training-role"), ClientRequestToken="t" * 32
            )
        return str(sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=f"{number:032d}")["PipelineExecutionArn"])


@contextmanager
def running(folder: Path, policy: Literal["canary", "shadow"] = "canary") -> Iterator[Production]:
    """A production of its own."""
    with Running(folder / "cloud", speed=SPEED, accounts=[account.id for account in CONFIG.accounts]) as cloud:
        yield Production(cloud, folder, policy)


def plain() -> dict[str, str]:
    """This process's environment without anything of AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def of(arn: str) -> tuple[str, str]:
    return "--model-package-arn", arn


def packed(files: Json) -> bytes:
    """A `.tar.gz` of JSON files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()
