"""A model in one environment: the endpoint that answers, and what it needs to do so safely.

Built once and deployed for every version: which model package it serves is a parameter. SageMaker makes models only from approved
packages, so where approval is not asked for, the package's own image and data are passed beside it. The other parameters say how this
one deployment is made, and have values that ask for nothing: which version's scores are compared with which one's, whether the version
before must be back at once, and, where the policy is `shadow`, which package gets a copy of the requests.

Not protected against deletion: a creation that failed must be removable in one command. What it captured stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, CfnCondition, CfnOutput, CfnParameter, Fn, RemovalPolicy, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from config import Config, Environment
from model_code.spec import TERMINATION, ModelSpec, Monitoring
from pipelines.delivery import PLATFORM
from pipelines.instances import has_local_storage
from stacks import names
from stacks.constructs.alarms import Alarms, Limits
from stacks.constructs.deployment import guarded, urgent
from stacks.constructs.endpoint import Endpoint, Shadow
from stacks.constructs.image_repository import PULL
from stacks.constructs.key import Key
from stacks.constructs.notices import Notices
from stacks.constructs.scaling import CONCURRENCY, INVOCATIONS, Bounds, Scaling, nights
from stacks.constructs.score_metrics import ScoreMetrics
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.store import Store
from stacks.constructs.verifier_role import VerifierRole
from stacks.machines import processors
from stacks.permissions import allow, through_s3

ALARM_SENDER = "cloudwatch.amazonaws.com"
VERSION = r"none|[0-9a-f]{12}"  # how a container names the model it serves: the beginning of its SHA-256
PERCENTILES = (10, 50, 90)  # of the scores, as containers tell them
LONGEST_SHIFT = 5  # minutes in a row in which scores must differ before an alarm rings; a short bake leaves fewer


class Serving(Stack):
    """One endpoint, in the environment's account."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec, environment: Environment) -> None:
        super().__init__(scope, name, env=CdkEnvironment(account=environment.account.id, region=environment.account.region))
        self.config, self.model, self.environment_of = config, model, environment
        self.endpoint_name = config.name(model.name, environment.name)
        self.serving = serving = model.serving[environment.name]
        package = self._package()
        versions = {name: self._version(name) for name in ("ModelVersion", "PreviousModelVersion")}
        key = Key(self, "Key", description=f"Captured requests, disks and alarms of {self.endpoint_name}", services=[ALARM_SENDER])
        days = (model.monitoring or Monitoring()).capture_days
        capture = Store(self, "Capture", key=key, expire_days=days, folders=[names.CAPTURE, names.MONITOR])
        topic = Notices(self, "Notices", key=key, addresses=[*config.owners, model.owner], publishers=[ALARM_SENDER])
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/sagemaker/Endpoints/{self.endpoint_name}",
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.DESTROY,
        )
        scores = ScoreMetrics(self, "Scores", endpoint_name=self.endpoint_name, log=log)
        live = Endpoint(
            self,
            "Live",
            endpoint_name=self.endpoint_name,
            variant=names.VARIANT,
            container=self._container(package),
            shadow=self._shadow() if serving.deployment.policy == "shadow" else None,
            role=self._execution_role(key, capture, log),
            instance_type=serving.instance_type,
            instances=serving.instances,
            key=key,
            encrypt_volume=not has_local_storage(serving.instance_type),
            capture_uri=f"s3://{capture.bucket_name}/{names.CAPTURE}/{versions['ModelVersion']}",
            capture_percent=serving.capture_percent,
            retain_count=serving.maximum_instances is not None,
        )
        alarms = Alarms(
            self,
            "Alarms",
            endpoint_name=self.endpoint_name,
            variant=names.VARIANT,
            configuration=live.config.attr_endpoint_config_name,
            topic=topic,
            limits=self._limits(),
            shift=scores.shift(
                new=versions["ModelVersion"],
                old=versions["PreviousModelVersion"],
                rows=serving.alarms.score_rows,
                expected=self._expected(),
            ),
        )
        rollback = [alarm.alarm_name for alarm in alarms.rollback]
        self._deployment(live, rollback)
        if serving.maximum_instances is not None:
            self._scaling(live, serving.maximum_instances)
        self._verifier()
        self._facts({"capture-bucket": capture.bucket_name, "key": key.key_arn, "topic": topic.topic_arn})
        self._outputs(
            EndpointName=live.endpoint.attr_endpoint_name,
            EndpointConfigName=live.config.attr_endpoint_config_name,
            ModelPackage=package,
            **versions,
            RollbackAlarms=Fn.join(",", rollback),
            LogGroup=log.log_group_name,
            CaptureBucket=capture.bucket_name,
        )

    def _facts(self, values: Mapping[str, str]) -> None:
        for fact, value in values.items():
            path = self.config.parameter(self.model.name, f"{self.environment_of.name}/{fact}")
            ssm.StringParameter(self, f"Fact-{fact}", parameter_name=path, string_value=value)

    def _outputs(self, **values: str) -> None:
        apart = Construct(self, "Outputs")  # some outputs have the name of a parameter
        for name, value in values.items():
            CfnOutput(apart, name, value=value).override_logical_id(name)

    def _package(self) -> str:
        pattern = self._package_pattern()
        return CfnParameter(self, "ModelPackageArn", description="The registered version to serve", allowed_pattern=pattern).value_as_string

    def _package_pattern(self) -> str:
        group = self.config.name(self.model.name)
        return rf"arn:[\w-]+:sagemaker:[\w-]+:{self.config.toolchain.id}:model-package/{group}/\d+"

    def _version(self, name: str) -> str:
        of = {"ModelVersion": "this version", "PreviousModelVersion": "the version before"}[name]
        described = f"As the container of {of} names it in its log"
        return CfnParameter(self, name, description=described, allowed_pattern=VERSION, default="none").value_as_string

    def _expected(self) -> dict[int, str]:
        """How far each percentile of this version's scores lies from the version before's, as evaluation found on the same rows."""
        return {
            percent: CfnParameter(
                self,
                f"ExpectedShiftP{percent}",
                description=f"The {percent}th percentile of this version's scores minus that of the version before, as approved; signed",
                allowed_pattern=r"[+-]\d(\.\d{1,6})?",
                default="+0",
            ).value_as_string
            for percent in PERCENTILES
        }

    def _shadow(self) -> Shadow:
        package = CfnParameter(
            self,
            "ShadowModelPackageArn",
            description="The registered version that gets a copy of every request; none if empty",
            allowed_pattern=f"({self._package_pattern()})?",
            default="",
        ).value_as_string
        shadowed = CfnCondition(self, "Shadowed", expression=Fn.condition_not(Fn.condition_equals(package, "")))
        return Shadow(variant=names.SHADOW, container={"modelPackageName": package}, condition=shadowed)

    def _limits(self) -> Limits:
        alarms, bake = self.serving.alarms, self.serving.deployment.bake_minutes
        return Limits(
            server_errors=alarms.server_error_rate,
            client_errors=alarms.client_error_rate,
            model_latency=1000 * alarms.model_latency_p99_ms,
            overhead_latency=1000 * alarms.overhead_latency_p99_ms,
            cpu=alarms.cpu_percent * processors(self.serving.instance_type),
            memory=alarms.memory_percent,
            shift=alarms.score_shift,
            shift_minutes=max(2, min(bake - 1, LONGEST_SHIFT)),
        )

    def _deployment(self, live: Endpoint, alarms: list[str]) -> None:
        hurry = CfnParameter(
            self,
            "Urgent",
            description="Whether all traffic moves at once, whatever the policy, and no alarm is asked: the way back",
            allowed_values=["yes", "no"],
            default="no",
        ).value_as_string
        unhurried = CfnCondition(self, "Unhurried", expression=Fn.condition_equals(hurry, "no"))
        shift = self.serving.deployment
        times = {"termination_seconds": 60 * TERMINATION, "timeout_seconds": 60 * self.serving.deployment_minutes}
        policy = guarded(policy=shift.policy, size_percent=shift.size_percent, bake_seconds=60 * shift.bake_minutes, alarms=alarms, **times)
        live.move_by(policy, when=unhurried, otherwise=urgent(**times))

    def _scaling(self, live: Endpoint, maximum: int) -> None:
        serving, targets = self.serving, {"invocations-per-instance": (INVOCATIONS, self.serving.invocations_per_instance)}
        if serving.concurrency_per_instance is not None:
            targets["concurrency-per-instance"] = (CONCURRENCY, serving.concurrency_per_instance)
        schedule: list[Bounds] = []
        if off := serving.off_hours:
            evening, morning = nights(off.start, off.end, weekends=off.weekends)
            night, day = (off.instances, off.maximum_instances), (serving.instances, maximum)
            schedule = [
                Bounds(name=name, cron=cron, timezone=off.timezone, minimum=least, maximum=most)
                for name, cron, (least, most) in (("off-hours", evening, night), ("working-hours", morning, day))
            ]
        Scaling(
            self,
            "Scaling",
            endpoint=live.endpoint,
            variant=names.VARIANT,
            minimum=serving.instances,
            maximum=maximum,
            targets=targets,
            schedule=schedule,
        )

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
        alarms = self.format_arn(service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME)
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
                allow("s3:GetObject", on=[f"{trained}/{names.SERVED}"]),
                allow("s3:ListBucket", on=[trained]),
                allow("kms:Decrypt", on=[trained_key], conditions=through_s3(toolchain)),
                allow("s3:PutObject", on=[capture.arn_for_objects(f"{names.CAPTURE}/*")]),
                allow("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", on=[key.key_arn]),
                allow("kms:CreateGrant", on=[key.key_arn], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
                allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=[log.log_group_arn]),
                allow(
                    "cloudwatch:PutMetricData", on=["*"], conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}}
                ),
                allow("cloudwatch:DescribeAlarms", on=[alarms]),  # those that may take a deployment back
            ],
        )

    def _verifier(self) -> None:
        trusted = [names.deploy_role(self.config, road, self.environment_of) for road in (self.model.name, PLATFORM)]
        if names.judged(self.config, self.model, self.environment_of):
            trusted.append(names.judge_role(self.config, self.model))
        VerifierRole(
            self,
            "Verifier",
            role_name=names.verifier_role(self.config, self.model, self.environment_of),
            toolchain=self.config.toolchain.id,
            trusted=[names.role_arn(self, self.config.toolchain, role) for role in trusted],
            endpoint_name=self.endpoint_name,
        )
