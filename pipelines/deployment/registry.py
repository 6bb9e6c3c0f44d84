"""One model's registry: its data, artifacts, images, versions and evidence, in the toolchain's account."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import naming
from config import Config
from paved_runtime.spec import ModelSpec
from pipelines.deployment.accounts import Clients
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.facts import Facts
from pipelines.evidence.publish import Press
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where a model's things are, and clients of that account, each made when it is first needed."""

    config: Config
    model: ModelSpec
    facts: Facts
    clients: Clients

    @classmethod
    def read(cls, config: Config, model: ModelSpec, clients: Clients) -> Self:
        """The registry as its stack tells of it. Raises DeploymentError when it is not deployed."""
        facts = Facts.read(clients("ssm"), naming.parameter(config, model.name))
        return cls(config=config, model=model, facts=facts, clients=clients)

    @property
    def artifacts(self) -> str:
        """`s3://bucket` of artifacts, evidence and ledger."""
        return f"s3://{self.facts.artifacts_bucket}"

    @cached_property
    def s3(self) -> S3Client:
        """A client."""
        client: S3Client = self.clients("s3")
        return client

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """A client: versions, model cards, training pipelines."""
        client: SageMakerClient = self.clients("sagemaker")
        return client

    @cached_property
    def ecr(self) -> ECRClient:
        """A client."""
        client: ECRClient = self.clients("ecr")
        return client

    @cached_property
    def codepipeline(self) -> CodePipelineClient:
        """A client."""
        client: CodePipelineClient = self.clients("codepipeline")
        return client

    @cached_property
    def signer(self) -> Signer:
        """The key that signs the model's evidence: what was measured."""
        return Signer(kms=self.clients("kms"), key=self.facts.evidence_key)

    @cached_property
    def release_signer(self) -> Signer:
        """The key that signs what was decided about the model's versions, and what served.

        Raises:
            DeploymentError: the registry is older than that key.
        """
        if self.facts.release_key is None:
            stack = naming.registry_stack(self.config, self.model.name)
            raise DeploymentError(f"{stack} has no release key yet: it was deployed with an older release: deploy it again")
        return Signer(kms=self.clients("kms"), key=self.facts.release_key)

    @property
    def press(self) -> Press:
        """What publishes evidence and decisions."""
        return Press(
            s3=self.s3,
            sagemaker=self.sagemaker,
            artifacts=self.artifacts,
            evidence_key=self.signer,
            release_key=self.release_signer,
            card_key=self.facts.key,
        )

    @cached_property
    def caller(self) -> str:
        """The ARN of whoever acts here."""
        return str(self.clients("sts").get_caller_identity()["Arn"])
