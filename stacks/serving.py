"""A model in one environment: the endpoint that answers, and what it needs to do so safely.

Built once and deployed for every version: which model package it serves is its one parameter. SageMaker makes models only
from approved packages, so where approval is not asked for, the package's own image and data are passed beside it.

Not protected against deletion: a creation that failed must be removable in one command. What it captured stays.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, CfnParameter, RemovalPolicy, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_logs as logs
from constructs import Construct

from config import Config, Environment
from model_code.spec import ModelSpec
from pipelines.delivery import PLATFORM
from pipelines.instances import has_local_storage
from stacks import names
from stacks.constructs.alarms import Alarms
from stacks.constructs.blue_green import blue_green
from stacks.constructs.endpoint import Endpoint
from stacks.constructs.image_repository import PULL
from stacks.constructs.key import Key
from stacks.constructs.notices import Notices
from stacks.constructs.scaling import Scaling
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.store import Store
from stacks.constructs.verifier_role import VerifierRole
from stacks.permissions import allow, through_s3

ALARM_SENDER = "cloudwatch.amazonaws.com"


class Serving(Stack):
    """One endpoint, in the environment's account."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec, environment: Environment) -> None:
        super().__init__(scope, name, env=CdkEnvironment(account=environment.account.id, region=environment.account.region))
        self.config, self.model, self.environment_of = config, model, environment
        self.endpoint_name = config.name(model.name, environment.name)
        serving = model.serving[environment.name]
        package = self._package_parameter()
        key = Key(self, "Key", description=f"Captured requests, disks and alarms of {self.endpoint_name}", services=[ALARM_SENDER])
        capture = Store(self, "Capture", key=key)
        topic = Notices(self, "Notices", key=key, addresses=[*config.owners, model.owner], publishers=[ALARM_SENDER])
        alarms = Alarms(self, "Alarms", endpoint_name=self.endpoint_name, variant=names.VARIANT, topic=topic)
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/sagemaker/Endpoints/{self.endpoint_name}",
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.DESTROY,
        )
        endpoint = Endpoint(
            self,
            "Live",
            endpoint_name=self.endpoint_name,
            variant=names.VARIANT,
            container=self._container(package),
            role=self._execution_role(key, capture, log),
            instance_type=serving.instance_type,
            instances=serving.instances,
            key=key,
            encrypt_volume=not has_local_storage(serving.instance_type),
            capture=capture,
            capture_percent=serving.capture_percent,
            deployment=blue_green(
                policy=serving.deployment.policy,
                size_percent=serving.deployment.size_percent,
                bake_seconds=60 * serving.deployment.bake_minutes,
            ),
            retain_count=serving.maximum_instances is not None,
            rollback_alarms=alarms.rollback,
        )
        if serving.maximum_instances is not None:
            Scaling(
                self,
                "Scaling",
                endpoint=endpoint.endpoint,
                variant=names.VARIANT,
                minimum=serving.instances,
                maximum=serving.maximum_instances,
                invocations_per_instance=serving.invocations_per_instance,
            )
        self._verifier()
        outputs = {
            "EndpointName": endpoint.endpoint.attr_endpoint_name,
            "EndpointConfigName": endpoint.config.attr_endpoint_config_name,
            "ModelPackage": package,
            "CaptureBucket": capture.bucket_name,
        }
        for output, value in outputs.items():
            CfnOutput(self, output, value=value)

    def _package_parameter(self) -> str:
        group = self.config.name(self.model.name)
        return CfnParameter(
            self,
            "ModelPackageArn",
            description="The registered version to serve",
            allowed_pattern=rf"arn:[\w-]+:sagemaker:[\w-]+:{self.config.toolchain.id}:model-package/{group}/\d+",
        ).value_as_string

    def _container(self, package: str) -> dict[str, str]:
        if self.environment_of.approved_only:
            return {"modelPackageName": package}
        image = CfnParameter(self, "ImageUri", description="The package's image, by digest", allowed_pattern=".+@sha256:[0-9a-f]{64}")
        data = CfnParameter(self, "ModelDataUrl", description="The package's model data", allowed_pattern="s3://.+")
        return {"image": image.value_as_string, "modelDataUrl": data.value_as_string}

    def _execution_role(self, key: Key, capture: Store, log: logs.LogGroup) -> ServiceRole:
        toolchain = self.config.toolchain
        repository = names.image_repository(self.config, self.model)
        images = self.format_arn(service="ecr", account=toolchain.id, resource="repository", resource_name=repository)
        trained = self.format_arn(service="s3", region="", account="", resource=names.artifacts_bucket(self.config, self.model))
        trained_key = self.format_arn(service="kms", account=toolchain.id, resource="key", resource_name="*")
        return ServiceRole(
            self,
            "Execution",
            role_name=names.execution_role(self.config, self.model, self.environment_of),
            service="sagemaker.amazonaws.com",
            description=f"What the endpoint {self.endpoint_name} may do",
            statements=[
                allow(*PULL, on=[images]),
                allow("ecr:GetAuthorizationToken", on=["*"]),  # has no resource to name
                allow("s3:GetObject", on=[f"{trained}/*"]),
                allow("s3:ListBucket", on=[trained]),
                allow("kms:Decrypt", on=[trained_key], conditions=through_s3(toolchain)),
                allow("s3:PutObject", on=[capture.arn_for_objects("*")]),
                allow("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", on=[key.key_arn]),
                allow("kms:CreateGrant", on=[key.key_arn], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
                allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=[log.log_group_arn]),
                allow(
                    "cloudwatch:PutMetricData", on=["*"], conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}}
                ),
            ],
        )

    def _verifier(self) -> None:
        deployers = [names.deploy_role(self.config, road, self.environment_of) for road in (self.model.name, PLATFORM)]
        VerifierRole(
            self,
            "Verifier",
            role_name=names.verifier_role(self.config, self.model, self.environment_of),
            toolchain=self.config.toolchain.id,
            trusted=[names.role_arn(self, self.config.toolchain, role) for role in deployers],
            endpoint_name=self.endpoint_name,
        )
