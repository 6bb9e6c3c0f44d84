"""The endpoints of an environment that several models share: their instances, and the role as which copies of models run there.

Nothing of a model is here but what its copies may read. A model's own stack puts them there, as an inference component.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

import naming
from config import Config, Environment, SharedEndpoint
from deployability.instances import has_local_storage
from paved_runtime.spec import ModelSpec
from stacks import layout, permissions
from stacks.constructs.endpoint import outlives_replacement
from stacks.constructs.image_repository import PULL
from stacks.constructs.key import Key
from stacks.constructs.model_role import USE_KEY
from stacks.constructs.service_role import ServiceRole
from stacks.network import vpc_config
from stacks.permissions import allow

LOGS = "/aws/sagemaker/InferenceComponents"
UTILISATION = ("/aws/sagemaker/Endpoints", LOGS)  # namespaces of what instances and copies use


class SharedEndpoints(Stack):
    """Those of one environment. `models` are all of the repository: who has a copy there may read what it is made of."""

    def __init__(self, scope: Construct, name: str, *, config: Config, models: Sequence[ModelSpec], environment: Environment) -> None:
        place = CdkEnvironment(account=environment.account.id, region=environment.account.region)
        tags = {**config.tags, "project": config.project, "environment": environment.name}
        super().__init__(scope, name, env=place, tags=tags)
        self.config, self.environment_of_config = config, environment
        self.key = Key(self, "Key", description=f"Disks of the endpoints that models share in {environment.name}", services=[])
        self.vpc = vpc_config(self, config, environment.account)
        for shared in environment.shared_endpoints:
            sharing = [model for model in models if layout.shares(model, environment, shared)]
            self._endpoint(Construct(self, shared.name), shared, sharing)

    def _endpoint(self, scope: Construct, shared: SharedEndpoint, models: Sequence[ModelSpec]) -> None:
        """Without a component it answers nobody. A new configuration takes over at once: SageMaker moves the copies of every model."""
        name = naming.shared_endpoint(self.config, self.environment_of_config, shared.name)
        config = sagemaker.CfnEndpointConfig(
            scope,
            "Config",
            execution_role_arn=self._role(scope, shared, models).role_arn,
            enable_network_isolation=True,
            vpc_config=self.vpc.sagemaker if self.vpc else None,
            kms_key_id=None if has_local_storage(shared.instance_type) else self.key.key_arn,
            production_variants=[_variant(shared)],
        )
        outlives_replacement(config)
        sagemaker.CfnEndpoint(scope, "Endpoint", endpoint_name=name, endpoint_config_name=config.attr_endpoint_config_name)

    def _role(self, scope: Construct, shared: SharedEndpoint, models: Sequence[ModelSpec]) -> ServiceRole:
        endpoint = naming.shared_endpoint(self.config, self.environment_of_config, shared.name)
        return ServiceRole(
            scope,
            "Execution",
            role_name=naming.shared_role(self.config, self.environment_of_config, shared.name),
            service="sagemaker.amazonaws.com",
            description=f"What the models on the endpoint {endpoint} may do",
            statements=[
                allow("ecr:GetAuthorizationToken", on=["*"]),  # has no resource to name
                allow(*USE_KEY, on=[self.key.key_arn]),
                allow("kms:CreateGrant", on=[self.key.key_arn], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
                allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=self._logs(models)),
                allow("cloudwatch:PutMetricData", on=["*"], conditions={"StringEquals": {"cloudwatch:namespace": list(UTILISATION)}}),
                *(statement for model in models for statement in self._reads(model)),
                *(self.vpc.for_jobs(self) if self.vpc else []),
            ],
        )

    def _logs(self, models: Sequence[ModelSpec]) -> list[str]:
        """The log groups of the components, and one of the endpoint itself."""
        components = [naming.endpoint(self.config, model.name, self.environment_of_config) for model in models]
        groups = [*(f"{LOGS}/{component}" for component in components), f"/aws/sagemaker/Endpoints/{self.config.project}-*"]
        colon = ArnFormat.COLON_RESOURCE_NAME
        return [
            self.format_arn(service="logs", resource="log-group", resource_name=f"{group}{rest}", arn_format=colon)
            for group in groups
            for rest in ("", ":*")
        ]

    def _reads(self, model: ModelSpec) -> list[iam.PolicyStatement]:
        """What a version of a model is made of."""
        registered = permissions.registered(self, self.config, model.name)
        return [
            allow(*PULL, on=[registered.images]),
            allow("s3:GetObject", on=[f"{registered.bucket}/{key}" for key in registered.archives]),
            allow("s3:ListBucket", on=[registered.bucket]),
            allow("kms:Decrypt", on=[registered.key], conditions={"StringEquals": {"kms:ViaService": registered.storage}}),
        ]


def _variant(shared: SharedEndpoint) -> dict[str, object]:
    """It names no model; with none, one instance at first, which SageMaker ends where it is to have none."""
    ami = {"inferenceAmiVersion": shared.inference_ami} if shared.inference_ami else {}
    return {
        "variantName": naming.VARIANT,
        "instanceType": shared.instance_type,
        "initialInstanceCount": max(shared.minimum_instances, 1),
        "managedInstanceScaling": {
            "status": "ENABLED",
            "minInstanceCount": shared.minimum_instances,
            "maxInstanceCount": shared.maximum_instances,
        },
        "routingConfig": {"routingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        **ami,
    }
