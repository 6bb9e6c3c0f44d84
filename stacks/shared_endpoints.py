"""The endpoints of an environment that several models share: their instances, and the role as which copies of models run there.

Nothing of a model is here: a model's own stack puts its copies there, as an inference component, and lets the role read what they are made
of. So this stack is the same whichever model's push deploys it.
"""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

import naming
from config import Config, Environment, SharedEndpoint
from deployability.instances import has_local_storage
from stacks import permissions
from stacks.constructs.endpoint import outlives_replacement
from stacks.constructs.key import Key
from stacks.constructs.model_role import USE_KEY
from stacks.constructs.service_role import ServiceRole
from stacks.network import vpc_config
from stacks.permissions import allow

LOGS = "/aws/sagemaker/InferenceComponents"
UTILISATION = ("/aws/sagemaker/Endpoints", LOGS)  # namespaces of what instances and copies use


class SharedEndpoints(Stack):
    """Those of one environment."""

    def __init__(self, scope: Construct, name: str, *, config: Config, environment: Environment) -> None:
        place = CdkEnvironment(account=environment.account.id, region=environment.account.region)
        tags = {**config.tags, "project": config.project, "environment": environment.name}
        super().__init__(scope, name, env=place, tags=tags)
        self.config, self.place = config, environment
        self.key = Key(self, "Key", description=f"Disks of the endpoints that models share in {environment.name}", services=[])
        self.vpc = vpc_config(self, config, environment.account)
        for shared in environment.shared_endpoints:
            self._endpoint(Construct(self, shared.name), shared)

    def _endpoint(self, scope: Construct, shared: SharedEndpoint) -> None:
        """Without a component it answers nobody. A new configuration takes over at once: SageMaker moves the copies of every model."""
        name = naming.shared_endpoint(self.config, self.place, shared.name)
        config = sagemaker.CfnEndpointConfig(
            scope,
            "Config",
            execution_role_arn=self._role(scope, shared).role_arn,
            enable_network_isolation=True,
            vpc_config=self.vpc.sagemaker if self.vpc else None,
            kms_key_id=None if has_local_storage(shared.instance_type) else self.key.key_arn,
            production_variants=[_variant(shared)],
        )
        outlives_replacement(config)
        sagemaker.CfnEndpoint(scope, "Endpoint", endpoint_name=name, endpoint_config_name=config.attr_endpoint_config_name)

    def _role(self, scope: Construct, shared: SharedEndpoint) -> ServiceRole:
        endpoint = naming.shared_endpoint(self.config, self.place, shared.name)
        return ServiceRole(
            scope,
            "Execution",
            role_name=naming.shared_role(self.config, self.place, shared.name),
            service="sagemaker.amazonaws.com",
            description=f"What the models on the endpoint {endpoint} may do",
            statements=[
                allow("ecr:GetAuthorizationToken", on=["*"]),  # has no resource to name
                allow(*USE_KEY, on=[self.key.key_arn]),
                allow("kms:CreateGrant", on=[self.key.key_arn], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
                allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=self._logs()),
                allow("cloudwatch:PutMetricData", on=["*"], conditions={"StringEquals": {"cloudwatch:namespace": list(UTILISATION)}}),
                allow("kms:Decrypt", on=[self._keys()], conditions=permissions.through_storage(self.config)),
                *(self.vpc.for_jobs(self) if self.vpc else []),
            ],
        )

    def _keys(self) -> str:
        """Those with which models are encrypted, in the toolchain's account."""
        return self.format_arn(service="kms", account=self.config.toolchain.id, resource="key", resource_name="*")

    def _logs(self) -> list[str]:
        """The log groups of the project's components, and of its endpoints."""
        groups = [f"{LOGS}/{self.config.project}-*", f"/aws/sagemaker/Endpoints/{self.config.project}-*"]
        colon = ArnFormat.COLON_RESOURCE_NAME
        return [self.format_arn(service="logs", resource="log-group", resource_name=group, arn_format=colon) for group in groups]


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
