"""One model in one environment: its names there, and clients that may deploy to it and look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from botocore.config import Config as ClientConfig

import naming
from config import Config, Environment
from paved_runtime.spec import ModelSpec, Serving
from pipelines.deployment import accounts
from pipelines.deployment import stack as stacks
from pipelines.deployment.accounts import Clients
from pipelines.deployment.batches import Batches
from pipelines.deployment.cloudwatch import CloudWatchClient
from pipelines.deployment.endpoint import Endpoint, QueuedEndpoint
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.queue import Queue
from pipelines.deployment.registry import Registry
from pipelines.evidence.signature import Signer
from pipelines.serving_stack import COMPONENT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a model serves. `deployer` makes clients that may change stacks there, `verifier` such as read back and ask."""

    registry: Registry
    environment: Environment
    deployer: Clients
    verifier: Clients

    @classmethod
    def open(cls, registry: Registry, environment: str) -> Self:
        """The place as a stage in the toolchain's account sees it: it deploys with a role of CDK's bootstrap, and looks as the verifier.

        Raises:
            DeploymentError: there is no such environment.
        """
        config, known = registry.config, {each.name: each for each in registry.config.environments}
        if environment not in known:
            raise DeploymentError(f"environment {environment}: config.py has {', '.join(known)}: name one of them")
        account = known[environment].account
        roles = naming.bootstrap_role(config, "deploy", account), naming.verifier_role(config, registry.model.name, known[environment])
        deployer, verifier = (accounts.of(accounts.session(config, account, role, changed=True)) for role in roles)
        return cls(registry=registry, environment=known[environment], deployer=deployer, verifier=verifier)

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.registry.config

    @property
    def model(self) -> ModelSpec:
        """The model."""
        return self.registry.model

    @property
    def serving(self) -> Serving:
        """What `model.toml` says of this environment."""
        return self.model.serving[self.environment.name]

    @property
    def serving_stack(self) -> str:
        """The stack of the endpoint."""
        return naming.serving_stack(self.config, self.model.name, self.environment)

    @property
    def monitoring_stack(self) -> str:
        """The stack of what watches the endpoint."""
        return naming.monitoring_stack(self.config, self.model.name, self.environment)

    @property
    def batch_stack(self) -> str | None:
        """The stack of what scores files of rows; None where `model.toml` has no such table."""
        return naming.batch_stack(self.config, self.model.name, self.environment) if self.serving.batch else None

    @property
    def first(self) -> bool:
        """Whether evidence is made here."""
        return self.environment == self.config.environments[0]

    @property
    def keeps_evidence(self) -> bool:
        """Whether why a version was taken back is written down here."""
        return self.first or self.releases

    @property
    def releases(self) -> bool:
        """Whether versions are let in here: the ledger tells of them, and the stage signs with the release key, else with the evidence key
        where it is the first.
        """
        return self.environment.approved_only or self.environment == self.config.environments[-1]

    @property
    def signer(self) -> Signer:
        """The key with which the stage signs why it took a version back."""
        return self.registry.release_signer if self.releases else self.registry.signer

    @property
    def endpoint(self) -> str:
        """The endpoint's name, or that of the component, after COMPONENT, where it is shared."""
        name = naming.endpoint(self.config, self.model.name, self.environment)
        return f"{COMPONENT}{name}" if self.serving.component else name

    @property
    def shared_endpoint(self) -> str:
        """The endpoint that the model shares with others; empty where it has one of its own."""
        table = self.serving.component
        return naming.shared_endpoint(self.config, self.environment, table.endpoint) if table else ""

    @property
    def metric_namespace(self) -> str:
        """The CloudWatch namespace of what the endpoint's containers tell."""
        return naming.metric_namespace(self.config, self.model.name, self.environment)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """A client that may change stacks."""
        client: CloudFormationClient = self.deployer("cloudformation")
        return client

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """A client that reads back."""
        client: SageMakerClient = self.verifier("sagemaker")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """A client that reads alarms and metrics."""
        client: CloudWatchClient = self.verifier("cloudwatch")
        return client

    @cached_property
    def batches(self) -> Batches:
        """The batches there, as the stage of the first environment may have some scored. Raises DeploymentError where none can be."""
        role = naming.batch_gate_role(self.config, self.model.name, self.environment)
        clients = accounts.of(accounts.session(self.config, self.environment.account, role, changed=True))
        name = naming.batch_stack(self.config, self.model.name, self.environment)
        return Batches.open(self.cloudformation, clients, name)

    def asked(self, config: ClientConfig) -> Endpoint:
        """The endpoint, asked as its shape has it.

        Raises:
            DeploymentError: its requests wait, and its stack names no bucket for them.
        """
        runtime: SageMakerRuntimeClient = self.verifier("sagemaker-runtime", config=config)
        if self.serving.component:
            return Endpoint(runtime, self.shared_endpoint, component=self.endpoint.removeprefix(COMPONENT))
        if self.serving.asynchronous is None:
            return Endpoint(runtime, self.endpoint)
        s3: S3Client = self.verifier("s3", config=config)
        return QueuedEndpoint(Queue(runtime=runtime, s3=s3, name=self.endpoint, bucket=self._queue_bucket))

    @cached_property
    def _queue_bucket(self) -> str:
        stack = stacks.read(self.verifier("cloudformation"), self.serving_stack)
        if stack is None or not stack.serving.queue_bucket:
            raise DeploymentError(f"{self.serving_stack}: its outputs name no bucket for requests that wait: deploy it again")
        return stack.serving.queue_bucket
