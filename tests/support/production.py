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
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import ClientError

import naming
from localcloud.testing.running import Running
from paved_runtime.protocol import model_version
from paved_runtime.spec import Alarms, Deployment, Serving
from pipelines.deployment import ledger, package, release
from pipelines.deployment import stack as stacks
from pipelines.deployment.pace import Pace
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from pipelines.serving_stack import ServingParameters
from tests import reference
from tests.reference import CONFIG, MODEL, ROOT
from tests.support import sample
from tests.support.fakes import AT_ONCE
from tests.support.layouts import synth
from tests.support.tree import python_path
from tests.support.world import DATA, World, source

SPEED = 150.0
ENVIRONMENT = CONFIG.environments[-1]
HOME, AWAY = CONFIG.toolchain.id, ENVIRONMENT.account.id
REGION = CONFIG.toolchain.region
DELIVERY = "a-delivery"  # where it does not matter which execution it is
PLACE = ("--model", MODEL, "--environment", ENVIRONMENT.name)
SERVING = naming.serving_stack(CONFIG, MODEL, ENVIRONMENT)
MONITORING = naming.monitoring_stack(CONFIG, MODEL, ENVIRONMENT)
IMAGE = ROOT / "tests/faults/image"
Json = dict[str, Any]
Policy = Literal["canary", "shadow"]


def assembly(folder: Path, policy: Policy = "canary") -> Path:
    """Every stack, with a canary in production that bakes as shortly as it may. Only errors and scores can bring it back."""
    model = reference.model()
    calm = Alarms(model_latency_p99_ms=60_000, overhead_latency_p99_ms=60_000, score_rows=5, cpu_percent=99.9, memory_percent=99.9)
    canary = Deployment(policy=policy, size_percent=50, bake_minutes=4)
    production = Serving(instance_type="ml.m5.large", instances=2, deployment=canary, alarms=calm, capture_percent=1)
    changed = model.model_copy(update={"serving": {**model.serving, ENVIRONMENT.name: production}})
    return synth(CONFIG, [changed], folder).folder


class Production:
    """One model's production: `versions` are the ARNs of what was registered, oldest first."""

    def __init__(self, cloud: Running, folder: Path, tree: Path, policy: Policy = "canary") -> None:
        self.cloud, self.folder, self.tree = cloud, folder, tree
        self.assembly = assembly(folder / "cdk.out", policy)
        self.endpoint = naming.endpoint(CONFIG, MODEL, ENVIRONMENT)
        self._numbers = itertools.count(1)
        self._bootstrap()
        for stack in (
            naming.toolchain_stack(CONFIG),
            naming.registry_stack(CONFIG, MODEL),
            naming.delivery_stack(CONFIG, MODEL),
        ):
            create(cloud, HOME, self.assembly, stack)
        self.image = self._image()

    def home(self, service: str, /, **_: Any) -> Any:
        """A client in the toolchain's account."""
        return self.cloud.client(service, HOME)

    def away(self, service: str, /, **_: Any) -> Any:
        """A client in production's account."""
        return self.cloud.client(service, AWAY)

    @cached_property
    def registry(self) -> Registry:
        """The model's."""
        return Registry.read(CONFIG, reference.model(), self.home)

    @property
    def place(self) -> Place:
        """Production, as its administrators see it."""
        return Place(registry=self.registry, environment=ENVIRONMENT, deployer=self.away, verifier=self.away)

    @property
    def ledger(self) -> list[LedgerEntry]:
        """What production has served, oldest first."""
        return ledger.entries(self.registry, ENVIRONMENT.name)

    def version(self, **does: float) -> str:
        """A version that was registered, proven and approved; its model package's ARN."""
        world = self.candidate(**does)
        world.prove()
        world.approve()
        return world.arn

    def candidate(self, **does: float) -> World:
        """A version that was registered and pinned."""
        number = next(self._numbers)
        facts, artifacts, s3 = self.registry.facts, self.registry.artifacts, self.home("s3")
        data_uri = f"s3://{facts.data_bucket}/data.csv"
        origin = {"commit": sample.COMMIT, "data_sha256": document.sha256(DATA), "image_uri": self.image}
        files = {
            "model.onnx": {**does, "number": number},
            "evaluation.json": {**sample.content()["evaluation"], **origin},
            "metadata.json": {"model": MODEL, **origin},
            "golden.json": {"requests": [], "bad_requests": [], "tolerance": 1e-6},
        }
        archive, report = packed(files), packed({"report.json": sample.report()})
        artifact = document.sha256(archive)
        model_data = f"{artifacts}/{naming.MODELS}/{artifact}/{naming.MODEL_ARCHIVE}"
        for uri, content in (
            (data_uri, DATA),
            (model_data, archive),
            (pack.report_of(model_data), report),
            (pack.bill_of_materials(artifacts, self.image), b'{"components": []}'),
        ):
            pack.write(s3, uri, content)
        stored = pack.measure(s3, data_uri)
        assert stored
        digests = {"artifact_sha256": artifact, "report_sha256": document.sha256(report)}
        registered = {**origin, "data_uri": data_uri, "data_version": stored.version, **digests}
        return World(
            s3=s3,
            sagemaker=self.home("sagemaker"),
            ecr=self.home("ecr"),
            ssm=self.home("ssm"),
            signer=self._measuring,
            releaser=self.registry.release_signer,
            stranger=self.registry.signer,
            key=facts.key,
            artifacts=artifacts,
            data=f"s3://{facts.data_bucket}",
            model_sha256=package.model_sha256(s3, model_data),
            arn=self._register(model_data, registered),
            training=self._trained(number, origin),
            actions=[source()],
        )

    def step(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a step's program as Production's stage would."""
        command = [sys.executable, "-m", f"pipelines.steps.{name}", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.tree,
            env=self.stage_environment(naming.deploy_role(CONFIG, MODEL, ENVIRONMENT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a step's program to its end."""
        with self.step(name, *arguments) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(name, process.returncode, output, errors)

    def deploy(self, arn: str, execution: str = DELIVERY) -> tuple[str, ...]:
        """The step with which Production's stage deploys a version, and its arguments."""
        return ("deploy", *PLACE, *of(arn), "--assembly", str(self.assembly), "--execution", execution)

    def shadow(self, arn: str) -> tuple[str, ...]:
        """The one with which it compares a version in the shadow, where that is the policy."""
        return ("shadow", *PLACE, *of(arn), "--assembly", str(self.assembly))

    def verify(self, arn: str, execution: str = DELIVERY) -> tuple[str, ...]:
        """The one with which it verifies."""
        return ("verify", *PLACE, *of(arn), "--report", str(self.folder / "verified.json"), "--execution", execution)

    def record(self, arn: str, execution: str) -> tuple[str, ...]:
        """The one with which it writes the ledger."""
        return ("record_deployment", *PLACE, *of(arn), "--execution", execution, "--verified", str(self.folder / "verified.json"))

    def first(self) -> str:
        """Deliver a first version, as the road does it."""
        arn = self.version(score=0.3)
        for arguments in (self.deploy(arn, "first"), self.verify(arn, "first"), self.record(arn, "first")):
            done = self.run(*arguments)
            assert done.returncode == 0, done.stderr
        return arn

    def road(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Type `./road …` against this cloud."""
        own = plain() | {"ROAD_CLOUD": str(self.folder / "cloud"), "PYTHONPATH": python_path(self.tree)} | variables
        return subprocess.run([sys.executable, "-m", "cli", *arguments], cwd=self.tree, env=own, capture_output=True, text=True)

    def road_on_aws(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type `./road … --target aws` as somebody who has credentials of the toolchain's account and no others."""
        keys = {**self.cloud.state["accounts"][HOME], "AWS_ENDPOINT_URL": self.cloud.state["url"], "AWS_DEFAULT_REGION": REGION}
        return self.road(*arguments, "--target", "aws", **keys)

    def deliver(self, arn: str, execution: str) -> None:
        """Take a version into production as the stage does, under load; it must hold."""
        with self.asked():
            self.shift(arn)
            for arguments in (self.verify(arn, execution), self.record(arn, execution)):
                done = self.run(*arguments)
                assert done.returncode == 0, done.stderr

    def shift(self, arn: str) -> None:
        """Move production to a version as `deploy` does, with CloudFormation alone; returns when CloudFormation says that it is done."""
        stack = stacks.read(self.away("cloudformation"), SERVING)
        assert stack, "the first version is deployed by the step"
        values = release.serving_parameters(self.place, stack, package.read(self.home("sagemaker"), arn))
        stacks.update(self.away("cloudformation"), stack, values.values(), replace(AT_ONCE, poll_seconds=0.1))

    def back_in_line(self) -> None:
        """After a rollback of SageMaker's own, bring the stack to what serves, as a person would."""
        done = self.road("rollback", MODEL, "--reason", f"in line again after {len(self.ledger)}", "--yes")
        assert done.returncode == 0, done.stderr

    @property
    def deployed(self) -> ServingParameters:
        """What the serving stack was deployed with."""
        stack = stacks.read(self.away("cloudformation"), SERVING)
        assert stack
        return stack.version

    def model_version(self, arn: str) -> str:
        """How the container of a version names itself."""
        return model_version(package.model_sha256(self.home("s3"), package.read(self.home("sagemaker"), arn).data))

    def served(self) -> str:
        """The model package that really serves."""
        sagemaker = self.away("sagemaker")
        live = sagemaker.describe_endpoint(EndpointName=self.endpoint)
        assert live["EndpointStatus"] == "InService"
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])["ProductionVariants"][0]
        return str(sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]["ModelPackageName"])

    def registered(self, arn: str) -> Json:
        """What the registry says of a version."""
        description: Json = self.home("sagemaker").describe_model_package(ModelPackageName=arn)
        return description

    @contextmanager
    def asked(self, clients: int = 2) -> Iterator[Counter[str]]:
        """Ask without a pause while the block runs; counts `answered` and `failed`."""
        counts, ended, runtime = Counter[str](), threading.Event(), self.away("sagemaker-runtime")

        def ask() -> None:
            while not ended.wait(0.005):
                try:
                    runtime.invoke_endpoint(EndpointName=self.endpoint, Body=b"{}", ContentType="application/json")
                    counts["answered"] += 1
                except ClientError:
                    counts["failed"] += 1

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield counts
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def stage_environment(self, role: str) -> dict[str, str]:
        """As CodeBuild gives it to a stage: the keys of its role."""
        keys = keys_of(self.cloud, role)
        return {
            **plain(),
            "PYTHONPATH": python_path(self.tree),
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

    @cached_property
    def _measuring(self) -> Signer:
        """The evidence key in the hands of the one role that may sign with it."""
        keys = keys_of(self.cloud, naming.deploy_role(CONFIG, MODEL, CONFIG.environments[0]))
        return Signer(kms=self.cloud.client("kms", HOME, **keys), key=self.registry.facts.evidence_key)

    def _bootstrap(self) -> None:
        """As `cdk bootstrap` leaves the accounts, as far as this needs it."""
        admin = {**self.cloud.state["accounts"][AWAY], "AWS_ENDPOINT_URL": self.cloud.state["url"], "AWS_REGION": REGION}
        command = ["cdk", "bootstrap", f"aws://{AWAY}/{REGION}", "--app", "", "--trust", HOME]
        command += ["--cloudformation-execution-policies", "arn:aws:iam::aws:policy/AdministratorAccess"]
        done = subprocess.run(command, env={**plain(), **admin, "CI": "true"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        self.home("ssm").put_parameter(Name=f"/cdk-bootstrap/{CONFIG.qualifier}/version", Value="30", Type="String")

    def _image(self) -> str:
        return self.cloud.docker(HOME).image(f"{self.registry.facts.image_repository}:{sample.COMMIT}", IMAGE)

    def _register(self, model_data: str, facts: dict[str, str]) -> str:
        types = {"SupportedContentTypes": ["application/json"], "SupportedResponseMIMETypes": ["application/json"]}
        made = self.home("sagemaker").create_model_package(
            ModelPackageGroupName=naming.model_package_group(CONFIG, MODEL),
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={"Containers": [{"Image": self.image, "ModelDataUrl": model_data}], **types},
            CustomerMetadataProperties=facts,
        )
        return str(made["ModelPackageArn"])

    def _trained(self, number: int, origin: dict[str, str]) -> str:
        """An execution of the training pipeline whose definition names the version's origin; it comes to nothing."""
        sagemaker, pipeline = self.home("sagemaker"), naming.training_pipeline(CONFIG, MODEL)
        refusal = {"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": json.dumps(origin)}}
        definition = json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [refusal]})
        if number == 1:
            sagemaker.create_pipeline(
                PipelineName=pipeline, PipelineDefinition=definition, RoleArn=self.registry.facts.training_role, ClientRequestToken="t" * 32
            )
        return str(sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=f"{number:032d}")["PipelineExecutionArn"])


@contextmanager
def running(folder: Path, tree: Path, policy: Policy = "canary") -> Iterator[Production]:
    """A production of its own; `tree` is where programs run."""
    with Running(folder / "cloud", speed=SPEED, accounts=[account.id for account in CONFIG.accounts], region=REGION) as cloud:
        yield Production(cloud, folder, tree, policy)


def keys_of(cloud: Running, role: str) -> dict[str, str]:
    """Temporary keys of a role in the toolchain's account, which CodeBuild or SageMaker takes, and this test in its place."""
    principals = {"Service": ["codebuild.amazonaws.com", "sagemaker.amazonaws.com"], "AWS": f"arn:aws:iam::{HOME}:root"}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principals}]}
    cloud.client("iam", HOME).update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
    return cloud.assume(f"arn:aws:iam::{HOME}:role/{role}", HOME)


@contextmanager
def monitored(folder: Path, tree: Path) -> Iterator[Production]:
    """A production that serves and is monitored, made by CloudFormation alone: nothing of the road has run."""
    with running(folder, tree) as made:
        cloudformation, package = made.away("cloudformation"), made.version(score=0.3)
        for name, parameters in ((SERVING, [{"ParameterKey": "ModelPackageArn", "ParameterValue": package}]), (MONITORING, [])):
            template = (made.assembly / f"{name}.template.json").read_text()
            cloudformation.create_stack(StackName=name, TemplateBody=template, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])
            stack = stacks.settled(cloudformation, name, Pace(poll_seconds=0.1))
            assert stack
            assert stack.status == "CREATE_COMPLETE"
        yield made


def create(cloud: Running, account: str, assembly: Path, stack: str) -> None:
    """Make a stack of an assembly."""
    cloudformation = cloud.client("cloudformation", account)
    template = (assembly / f"{stack}.template.json").read_text()
    cloudformation.create_stack(StackName=stack, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    assert status == "CREATE_COMPLETE", [e.get("ResourceStatusReason") for e in events if "FAILED" in e["ResourceStatus"]]


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
