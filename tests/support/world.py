"""A candidate at the point where evidence is made of it: everything lies where the road puts it, in an AWS of its own.

Fixtures, to be imported by a conftest: `staged` has been through staging; `approved` is proven and approved as well, and shared: a
test changes one thing of it for a while (`holding`, `registered`) and asks whether that is noticed.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import boto3
import pytest

import naming
from paved_runtime.protocol import EVALUATION
from pipelines.deployment import approval, compare_evidence, package, proof
from pipelines.deployment.approval import Request
from pipelines.deployment.candidate import Candidate
from pipelines.deployment.compare_evidence import Comparison
from pipelines.deployment.facts import Facts
from pipelines.deployment.registry import Registry
from pipelines.evidence import card, document, pack
from pipelines.evidence.document import ApprovalRecord, Evidence
from pipelines.evidence.signature import Signer
from tests import reference
from tests.reference import CONFIG
from tests.support import sample
from tests.support.facts import put_facts
from tests.support.fakes import Altered, Fake, Killed, archive, clients

MODEL = reference.model()
PIPELINE, EXECUTION = naming.delivery_pipeline(CONFIG, MODEL.name), "11111111-2222-3333-4444-555555555555"
PRODUCTION = CONFIG.environments[-1]
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}
BILL = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "numpy", "version": "2.4.1"}]}
INPUTS = "7e" * 32  # the digest of what training depends on
DATA = b"age,y\n30,yes\n40,no\n"
ADA = "arn:aws:iam::123456789012:user/ada"
BOUND = {  # by evidence
    "signature",
    "attestation",
    "model package",
    "commit",
    "data",
    "image",
    "bill of materials",
    "pipeline definition",
    "model artifact",
    "report",
    "approval",
}
_numbers = count(1)


@pytest.fixture(scope="session")
def evidence_server() -> Iterator[str]:
    """The address of an AWS that signs digests."""
    command = [sys.executable, "-m", "tests.support.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()


@pytest.fixture
def staged(evidence_server: str) -> World:
    """A candidate that has been through staging: nothing is signed yet."""
    return deliver(evidence_server)


@pytest.fixture(scope="session")
def approved(evidence_server: str) -> World:
    """A candidate that was proven and approved. Shared: put back what you change."""
    world = deliver(evidence_server)
    world.prove()
    world.approve()
    return world


@dataclass(kw_only=True)
class World:
    """One candidate and its AWS. `actions` is what CodePipeline tells of the execution, `model_sha256` what the endpoint told of itself."""

    s3: Any
    sagemaker: Any
    ecr: Any
    ssm: Any
    signer: Signer
    releaser: Signer
    stranger: Signer
    key: str
    artifacts: str
    data: str
    arn: str
    model_sha256: str
    training: str
    actions: list[dict[str, Any]]
    commit: str = sample.COMMIT

    @property
    def uri(self) -> str:
        """Where evidence.json lies."""
        return pack.evidence_uri(self.artifacts, self.arn)

    @property
    def model_data(self) -> str:
        """Where model.tar.gz lies."""
        return package.read(self.sagemaker, self.arn).data

    @property
    def evidence(self) -> Evidence:
        """What lies there."""
        return document.load_evidence(self.read(self.uri))

    @property
    def approval_uri(self) -> str:
        """Where approval.json lies."""
        return pack.approval_uri(self.artifacts, self.arn)

    @property
    def approval(self) -> ApprovalRecord:
        """What lies there."""
        return document.load_approval(self.read(self.approval_uri))

    @property
    def facts(self) -> Facts:
        """What the registry tells of itself."""
        return Facts(
            data_bucket=self.data.removeprefix("s3://"),
            artifacts_bucket=self.artifacts.removeprefix("s3://"),
            training_role="arn:aws:iam::123456789012:role/training",
            image_repository=package.read(self.sagemaker, self.arn).image.partition("@")[0],
            key=self.key,
            evidence_key=self.signer.key,
            release_key=self.releaser.key,
        )

    def registry(self, signer: Signer | None = None, releaser: Signer | None = None, **changed: Any) -> Registry:
        """The model's registry; clients may be replaced, by their service."""
        known = {"s3": self.s3, "sagemaker": self.sagemaker, "ecr": self.ecr, "codepipeline": self.codepipeline, "kms": self.signer.kms}
        facts = replace(self.facts, evidence_key=(signer or self.signer).key, release_key=(releaser or self.releaser).key)
        return Registry(config=CONFIG, model=MODEL, facts=facts, clients=clients(known | changed))

    def write_facts(self) -> None:
        """Write the facts as the registry's stack does, for programs."""
        put_facts(self.ssm, self.facts)

    def read(self, uri: str) -> bytes:
        """An object that must be there."""
        content = pack.read(self.s3, uri)
        assert content is not None, uri
        return content

    def candidate(self, **changes: Any) -> Candidate:
        """What the stage asks to be proven."""
        staging = {**sample.staging(), "model_package_arn": self.arn, "model_sha256": self.model_sha256}
        known: dict[str, Any] = {
            "model_package_arn": self.arn,
            "execution": EXECUTION,
            "cause": "push to main",
            "training_execution_arn": self.training,
            "staging": json.dumps(staging).encode(),
        }
        return Candidate(**{**known, **changes})

    def prove(self, *, s3: Any = None, sagemaker: Any = None, **changes: Any) -> Evidence:
        """Make the evidence; asks afterwards for its approval."""
        registry = self.registry(s3=s3 or self.s3, sagemaker=sagemaker or self.sagemaker)
        made = proof.prove(registry, self.candidate(**changes))
        shown = document.shown_sha256(made)
        self.actions[1:] = [decision(f"{MODEL.name}: commit {self.commit}, model package {self.arn}, evidence {self.uri} sha256 {shown}")]
        return made

    def approve(self, *, s3: Any = None, evidence_sha256: str | None = None) -> str:
        """Record the approval; its sentence."""
        request = Request(
            pipeline=PIPELINE,
            execution=EXECUTION,
            action=naming.approval(CONFIG, PRODUCTION),
            model_package_arn=self.arn,
            commit=self.commit,
            evidence_sha256=evidence_sha256 or document.shown_sha256(self.evidence),
        )
        made = approval.decision(self.codepipeline, request)
        return approval.record(self.registry(s3=s3 or self.s3, kms=self.releaser.kms), made)

    def compare(
        self, *, signer: Signer | None = None, releaser: Signer | None = None, evidence_sha256: str | None = None, **changed: Any
    ) -> list[Comparison]:
        """Everything that the check before a deployment compares; clients may be replaced, by their service."""
        return compare_evidence.compare(self.registry(signer, releaser, **changed), self.arn, evidence_sha256=evidence_sha256)

    def wrong(self, **changes: Any) -> set[str]:
        """What does not match, by name."""
        return {comparison.what for comparison in self.compare(**changes) if not comparison.matches}

    @contextmanager
    def holding(self, uri: str, content: bytes | None, *, new: bool = False) -> Iterator[None]:
        """Other content in the place of an object, or none at all, for a while; then its very version is there again. `new`: in a place
        where there is none.
        """
        assert new == (pack.read(self.s3, uri) is None), uri
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if content is None:
            changed = self.s3.delete_object(Bucket=bucket, Key=key)
        else:
            changed = self.s3.put_object(Bucket=bucket, Key=key, Body=content)
        yield
        self.s3.delete_object(Bucket=bucket, Key=key, VersionId=changed["VersionId"])

    @contextmanager
    def signed(self, signer: Signer, **changes: Any) -> Iterator[None]:
        """Evidence with other content under a signature of `signer`, for a while."""
        content = document.canonical(self.evidence.model_copy(update=changes))
        with self.holding(self.uri, content), self.holding(f"{self.uri}.sig", signer.sign(content).encode()):
            yield

    @contextmanager
    def decided(self, signer: Signer, **changes: Any) -> Iterator[None]:
        """A decision with other content under a signature of `signer`, for a while."""
        content = document.canonical(self.approval.model_copy(update=changes))
        with self.holding(self.approval_uri, content), self.holding(f"{self.approval_uri}.sig", signer.sign(content).encode()):
            yield

    @contextmanager
    def registered(self, status: str, text: str) -> Iterator[None]:
        """Another decision in the registry, for a while."""
        before = package.read(self.sagemaker, self.arn)
        for known, said in ((status, text), (before.status, before.approval)):
            self.sagemaker.update_model_package(ModelPackageArn=self.arn, ModelApprovalStatus=known, ApprovalDescription=said)
            if (known, said) == (status, text):
                yield

    @property
    def codepipeline(self) -> Fake:
        """CodePipeline's answers."""
        return Fake(list_action_executions=lambda **_: {"actionExecutionDetails": copy.deepcopy(self.actions)})

    @property
    def versions(self) -> dict[str, int]:
        """How often each object of the pack was written."""
        listed = self.s3.list_object_versions(Bucket=self.artifacts.removeprefix("s3://"), Prefix="evidence/").get("Versions", [])
        return dict(Counter(version["Key"].rpartition("/")[2] for version in listed))

    @property
    def card(self) -> dict[str, Any]:
        """The newest version of the model card."""
        description: dict[str, Any] = self.sagemaker.describe_model_card(ModelCardName=card.name(self.arn))
        return description


def mortal(s3: Any, *, writes: int) -> Altered:
    """An S3 whose caller is killed right after so many writes."""
    left = iter(range(writes - 1, -1, -1))

    def put_object(**arguments: Any) -> Any:
        answer = s3.put_object(**arguments)
        if next(left) == 0:
            raise Killed
        return answer

    return Altered(s3, put_object=put_object)


def decision(asked: str, **changes: Any) -> dict[str, Any]:
    """An approval as CodePipeline tells of it."""
    return {
        "pipelineExecutionId": EXECUTION,
        "actionName": naming.approval(CONFIG, PRODUCTION),
        "status": "Succeeded",
        "lastUpdateTime": datetime(2026, 11, 21, 9, 12, 40, tzinfo=UTC),
        "updatedBy": ADA,
        "input": {"resolvedConfiguration": {"CustomData": asked}},
        "output": {"executionResult": {"externalExecutionSummary": "better on every slice"}},
        **changes,
    }


def source(**variables: str) -> dict[str, Any]:
    """The source action as CodePipeline tells of it."""
    known = {
        "CommitId": sample.COMMIT,
        "CommitMessage": "Fewer leaves",
        "AuthorDate": "2026-11-21T07:29:12Z",
        "AuthorEmail": "dana@example.com",
    }
    done = {"pipelineExecutionId": EXECUTION, "actionName": naming.SOURCE, "status": "Succeeded"}
    return {**done, "output": {"outputVariables": {**known, **variables}}}


def trained(url: str, *, group: str = "", pipeline: str = "") -> World:
    """A version that was trained on what INPUTS stands for, and proven; nobody has decided. `group` and `pipeline` are names of their own
    where none are given.
    """
    world = deliver(url, group)
    version = package.read(world.sagemaker, world.arn)
    origin = {"COMMIT": sample.COMMIT, "IMAGE_URI": version.image, "DATA_SHA256": version.metadata["data_sha256"]}
    world.training = _run(world.sagemaker, pipeline or f"trained-{world.data.rpartition('-')[2]}", origin, gate(INPUTS))
    world.sagemaker.update_model_package(ModelPackageArn=world.arn, CustomerMetadataProperties={naming.TRAINING_SHA256: INPUTS})
    world.prove()
    return world


def gate(inputs: str) -> dict[str, Any]:
    """The step of a definition behind which a version is registered."""
    register = {"Name": "Register", "Type": "RegisterModel", "Arguments": {"CustomerMetadataProperties": {naming.TRAINING_SHA256: inputs}}}
    return {"Name": "Gate", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [register], "ElseSteps": []}}


def deliver(url: str, group: str = "", **evaluated: Any) -> World:
    """A candidate that has been through staging, in buckets, registry and repository that no other one has; in `group`, if one is named.
    `evaluated` is what its evaluation says beside the usual.
    """
    number = next(_numbers)
    s3, sagemaker, ecr, kms, ssm = (_client(service, url) for service in ("s3", "sagemaker", "ecr", "kms", "ssm"))
    image = _image(ecr, f"{naming.image_repository(CONFIG, MODEL.name)}-{number}")
    data, artifacts = f"s3://data-{number}", f"s3://artifacts-{number}"
    for bucket in (data, artifacts):
        place = {"LocationConstraint": CONFIG.toolchain.region}
        s3.create_bucket(Bucket=bucket[5:], CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
        s3.put_bucket_versioning(Bucket=bucket[5:], VersioningConfiguration={"Status": "Enabled"})
    digest = document.sha256(DATA)
    data_uri = f"{data}/data/{digest}/data.csv"
    origin = {"commit": sample.COMMIT, "data_sha256": digest, "image_uri": image}
    evaluation = {**sample.content()["evaluation"], **origin, **evaluated}
    metadata = {"model": MODEL.name, **origin, "rows": {"train": 36168}}
    archived = archive(model=f"model {number}".encode(), evaluation=evaluation, metadata=metadata)
    artifact = document.sha256(archived)
    model_data = f"{artifacts}/{naming.MODELS}/{artifact}/{naming.MODEL_ARCHIVE}"
    report = archive(report=sample.report(), parity={"instances": []})
    for uri, content in (
        (data_uri, DATA),
        (model_data, archived),
        (pack.report_of(model_data), report),
        (pack.bill_of_materials(artifacts, image), json.dumps(BILL).encode()),
    ):
        pack.write(s3, uri, content)
    stored = pack.measure(s3, data_uri)
    assert stored
    digests = {"artifact_sha256": artifact, "report_sha256": document.sha256(report)}
    registered = {**origin, "data_uri": data_uri, "data_version": stored.version, **digests}
    signing = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    group = group or f"{naming.model_package_group(CONFIG, MODEL.name)}-{number}"
    return World(
        s3=s3,
        sagemaker=sagemaker,
        ecr=ecr,
        ssm=ssm,
        signer=Signer(kms=kms, key=kms.create_key(**signing)["KeyMetadata"]["Arn"]),
        releaser=Signer(kms=kms, key=kms.create_key(**signing)["KeyMetadata"]["Arn"]),
        stranger=Signer(kms=kms, key=kms.create_key(**signing)["KeyMetadata"]["Arn"]),
        key=kms.create_key()["KeyMetadata"]["Arn"],
        artifacts=artifacts,
        data=data,
        arn=_package(sagemaker, group, image, model_data, registered),
        model_sha256=package.model_sha256(s3, model_data),
        training=_run(sagemaker, f"training-{number}", origin),
        actions=[source()],
    )


def _client(service: str, url: str) -> Any:
    make: Any = boto3.client  # its overloads want to know the service beforehand
    return make(service, region_name=CONFIG.toolchain.region, endpoint_url=url)


def _image(ecr: Any, name: str) -> str:
    repository = ecr.create_repository(repositoryName=name)["repository"]
    pushed = ecr.put_image(repositoryName=name, imageManifest=json.dumps(MANIFEST), imageTag=sample.COMMIT)
    return f"{repository['repositoryUri']}@{pushed['image']['imageId']['imageDigest']}"


def _package(sagemaker: Any, group: str, image: str, model_data: str, facts: dict[str, str]) -> str:
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    evaluation = f"{'/'.join(model_data.split('/')[:3])}/{naming.MODELS}/a-run/{EVALUATION}"
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": model_data}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        CustomerMetadataProperties=facts,
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": evaluation}}},
    )
    return str(made["ModelPackageArn"])


def _run(sagemaker: Any, name: str, origin: dict[str, str], *steps: dict[str, Any]) -> str:
    step = {"Name": "Train", "Type": "Training", "Arguments": {"Environment": origin, "HyperParameters": {"rounds": "300", "eta": "0.1"}}}
    definition = json.dumps({"Version": "2020-12-01", "Steps": [step, *steps]}) + "\n"
    role = "arn:aws:iam::123456789012:role/training"
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role, ClientRequestToken="t" * 32)
    return str(sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken="t" * 32)["PipelineExecutionArn"])
