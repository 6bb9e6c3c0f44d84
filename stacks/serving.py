"""A model in one environment: the endpoint that answers, and what it needs to do so safely.

Built once and deployed for every version: which model package it serves is a parameter. SageMaker makes models only from approved
packages, so where approval is not asked for, the package's own image and data are passed beside it. The other parameters say how this
one deployment is made, and have values that ask for nothing: which version's scores are compared with which one's, whether the version
before must be back at once, and, where the policy is `shadow`, which package gets a copy of the requests.

Not protected against deletion: a creation that failed must be removable in one command. What it captured stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import ArnFormat, CfnCondition, CfnOutput, CfnParameter, Fn, RemovalPolicy, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

import naming
from config import Config, Environment
from deployability.instances import gpus, has_local_storage, processors
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import TERMINATION, Fleet, ModelSpec, Monitoring
from pipelines import tags
from pipelines.serving_stack import COMPONENT, NO, PACKAGE, PERCENTILES, ServingOutputs, ServingParameters
from stacks import facts, features_check, layout, permissions
from stacks.constructs.alarms import Alarms, Limits
from stacks.constructs.component import Component, Copies
from stacks.constructs.deployment import guarded, urgent, urgent_in_batches
from stacks.constructs.endpoint import Capture, Endpoint, Instances, OnDemand, Shadow
from stacks.constructs.key import ALARMS as ALARM_SENDER
from stacks.constructs.key import EVENTS, Key
from stacks.constructs.model_role import ModelRole
from stacks.constructs.notices import Notices
from stacks.constructs.queue import Queue, QueueAlarms
from stacks.constructs.scaling import CONCURRENCY, INVOCATIONS, Bounds, Scaling, nights
from stacks.constructs.score_metrics import ScoreMetrics
from stacks.constructs.store import Store
from stacks.constructs.verifier_role import VerifierRole
from stacks.features import for_comparing, group_arn
from stacks.network import vpc_config
from stacks.permissions import allow

LONGEST_SHIFT = 5  # minutes in a row in which scores must differ before an alarm goes into ALARM; a short bake leaves fewer


class Serving(Stack):
    """One endpoint, in the environment's account."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        config: Config,
        model: ModelSpec,
        environment: Environment,
        groups: Sequence[FeatureGroup] = (),
    ) -> None:
        place = CdkEnvironment(account=environment.account.id, region=environment.account.region)
        super().__init__(scope, name, env=place, tags=tags.of(config, model, environment))
        self.config, self.model, self.place, self.groups = config, model, environment, groups
        self.serving = model.serving[environment.name]
        self.endpoint_name = naming.endpoint(config, model.name, environment)
        self.parameters = ServingParameters(**{field: self._parameter(field) for field in self._fields()})
        self.key = Key(self, "Key", description=f"Captured requests, disks and alarms of {self.endpoint_name}", services=self._key_users())
        self.vpc = vpc_config(self, config, environment.account)
        self.capture = self._capture()
        self.queue = self._queue()
        self.log = self._log()
        topic = Notices(self, "Notices", key=self.key, addresses=[*config.owners, model.owner], publishers=self._publishers())
        endpoint = self._component() if self.serving.component else self._endpoint()
        alarms = self._alarms(endpoint, topic)
        self._deployment(endpoint, alarms)
        if isinstance(endpoint, Component):
            self._copies(endpoint)
        elif self.serving.fleet and self.serving.maximum_instances is not None:
            self._scaling(endpoint, self.serving.fleet, self.serving.maximum_instances)
        self._verifier()
        stored = {"capture-bucket": self.capture.bucket_name, "key": self.key.key_arn, "topic": topic.topic_arn, **self._told_of_queue()}
        facts.tell(self, stored, lambda fact: naming.environment_parameter(config, model.name, environment, fact))
        self._outputs(endpoint, alarms)

    def _key_users(self) -> list[str]:
        """Services that encrypt with it: CloudWatch notices of alarms, EventBridge what it could not tell the toolchain of drift, or the
        owners of a batch.
        """
        events = layout.retrains(self.config, self.model, self.place) or self.serving.batch is not None
        return [ALARM_SENDER, *([EVENTS] if events else [])]

    def _publishers(self) -> list[str]:
        """Services that tell the owners: CloudWatch of alarms, EventBridge of batches."""
        return [ALARM_SENDER, *([EVENTS] if self.serving.batch is not None else [])]

    def _fields(self) -> list[str]:
        """The parameters that this stack has."""
        left_out = {"image_uri", "model_data_url"} if self.place.approved_only else set()
        if self.serving.deployment.policy != "shadow":
            left_out |= {"shadow_model_package_arn"}
        return [field.name for field in ServingParameters.declared().values() if field.name not in left_out]

    def _parameter(self, field: str) -> str:
        """Declare a parameter; a reference to its value. Of packages, only those of this model are accepted."""
        declared = {field.name: (name, field) for name, field in ServingParameters.declared().items()}
        name, about = declared[field]
        group = naming.model_package_group(self.config, self.model.name)
        own = rf"arn:[\w-]+:sagemaker:[\w-]+:{self.config.toolchain.id}:model-package/{group}/\d+"
        return CfnParameter(
            self,
            name,
            description=about.metadata["description"],
            allowed_pattern=about.metadata["pattern"].replace(PACKAGE, own) or None,
            allowed_values=list(about.metadata["values"]) or None,
            default=about.metadata["default"],
        ).value_as_string

    def _capture(self) -> Store:
        days = (self.model.monitoring or Monitoring()).capture_days
        logs = self.config.access_logs_of(self.place.account)
        return Store(self, "Capture", key=self.key, expire_days=days, folders=[naming.CAPTURE, naming.MONITORING], logs=logs)

    def _queue(self) -> Queue | None:
        table = self.serving.asynchronous
        if table is None:
            return None
        return Queue(
            self,
            "Queue",
            key=self.key,
            requests=naming.REQUESTS,
            answers=naming.ANSWERS,
            failures=naming.FAILURES,
            days=table.result_days,
            notices=table.notices,
            concurrency=table.concurrency,
            logs=self.config.access_logs_of(self.place.account),
        )

    def _told_of_queue(self) -> dict[str, str]:
        """What callers of an endpoint whose requests wait must know."""
        if self.queue is None:
            return {}
        topic = {"answers-topic": self.queue.topic.topic_arn} if self.queue.topic else {}
        return {"queue-bucket": self.queue.store.bucket_name, **topic}

    def _log(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/sagemaker/{'InferenceComponents' if self.serving.component else 'Endpoints'}/{self.endpoint_name}",
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _endpoint(self) -> Endpoint:
        serving = self.serving
        return Endpoint(
            self,
            "Live",
            endpoint_name=self.endpoint_name,
            variant=naming.VARIANT,
            container=self._container(),
            shadow=self._shadow() if serving.deployment.policy == "shadow" else None,
            role=self._execution_role(),
            runs_on=self._runs_on(),
            key=self.key,
            capture=None if serving.serverless or serving.asynchronous else self._captured(),
            queue=self.queue.config() if self.queue else None,
        )

    def _component(self) -> Component:
        table = self.serving.component
        assert table is not None, "who calls this has looked"
        component = Component(
            self,
            "Live",
            component_name=self.endpoint_name,
            endpoint_name=self._shared,
            variant=naming.VARIANT,
            container=self._container(),
            role=self._execution_role(),
            vpc=self.vpc,
            copies=Copies(count=table.copies, cores=table.cores, memory_mb=table.memory_mb, accelerators=table.accelerators),
        )
        component.component.add_dependency(self._shared_reads(table.endpoint))
        return component

    def _shared_reads(self, endpoint: str) -> iam.CfnPolicy:
        """Lets the role of the shared endpoint read what this model is made of: copies run as it."""
        statements = permissions.of_copies(self, self.config, self.model.name)
        return iam.CfnPolicy(
            self,
            "SharedReads",
            policy_name=self.endpoint_name,
            policy_document=iam.PolicyDocument(statements=statements),
            roles=[naming.shared_role(self.config, self.place, endpoint)],
        )

    def _copies(self, component: Component) -> None:
        """Where `model.toml` has it scale."""
        table = self.serving.component
        if table and table.maximum_copies is not None:
            least = 0 if table.scale_to_zero else table.copies
            component.scale(minimum=least, maximum=table.maximum_copies, concurrency=table.concurrency_per_copy)

    @property
    def _shared(self) -> str:
        """The endpoint that the model shares with others; empty where it has one of its own."""
        table = self.serving.component
        return naming.shared_endpoint(self.config, self.place, table.endpoint) if table else ""

    def _runs_on(self) -> Instances | OnDemand:
        serving, fleet = self.serving, self.serving.fleet
        if fleet is None:
            assert serving.serverless, "without instances it is serverless"
            return OnDemand(**serving.serverless.model_dump(exclude={"setup_seconds"}))
        return Instances(
            instance_type=fleet.instance_type,
            inference_ami=serving.inference_ami,
            count=fleet.instances,
            encrypt_volume=not has_local_storage(fleet.instance_type),
            retain_count=serving.maximum_instances is not None and not serving.scales_to_zero,  # a fleet of none proves nothing
            isolated=not self.model.features,
            vpc=self.vpc,
        )

    def _captured(self) -> Capture:
        uri = f"s3://{self.capture.bucket_name}/{naming.CAPTURE}/{self.parameters.model_version}"
        return Capture(uri=uri, percent=self.serving.capture_percent)

    def _container(self) -> dict[str, Any]:
        """The version; its server ends, and so takes no traffic, where it finds another model than the one that was deployed.

        A serverless container answers one request at a time, so one worker is all it needs ("Deploy models with Amazon SageMaker Serverless
        Inference", container support).
        """
        alone = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"} if self.serving.serverless else {}
        table = self.serving.asynchronous
        large = {"REQUEST_MB": str(table.payload_mb)} if table else {}
        expected = {"environment": {"MODEL_SHA256": self.parameters.model_sha256, **alone, **large, **self._lookups()}}
        if self.place.approved_only:
            return {"modelPackageName": self.parameters.model_package_arn, **expected}
        return {"image": self.parameters.image_uri, "modelDataUrl": self.parameters.model_data_url, **expected}

    def _shadow(self) -> Shadow:
        package = self.parameters.shadow_model_package_arn
        shadowed = CfnCondition(self, "Shadowed", expression=Fn.condition_not(Fn.condition_equals(package, "")))
        container = {"modelPackageName": package, **({"environment": lookups} if (lookups := self._lookups()) else {})}
        return Shadow(variant=naming.SHADOW, container=container, condition=shadowed)

    def _lookups(self) -> dict[str, str]:
        """What a container that looks features up must know."""
        told = features_check.lookups(self.config, self.model, self.groups)
        return {**told, "AWS_REGION": self.region} if told else {}

    def _alarms(self, endpoint: Endpoint | Component, topic: Notices) -> Alarms:
        namespace = naming.metric_namespace(self.config, self.model.name, self.place)
        parameters = self.parameters
        if table := self.serving.asynchronous:
            QueueAlarms(
                self,
                "QueueAlarms",
                endpoint_name=self.endpoint_name,
                variant=naming.VARIANT,
                topic=topic,
                minutes=table.oldest_request_minutes,
            )
        return Alarms(
            self,
            "Alarms",
            endpoint_name=self.endpoint_name,
            variant=naming.VARIANT,
            configuration=_configuration(endpoint),
            component=isinstance(endpoint, Component),
            topic=topic,
            limits=self._limits(),
            shift=ScoreMetrics(self, "Scores", namespace=namespace, log=self.log).shift(
                new=parameters.model_version,
                old=parameters.previous_model_version,
                rows=self.serving.alarms.score_rows,
                expected={percent: str(getattr(parameters, f"expected_shift_p{percent}")) for percent in PERCENTILES},
            ),
        )

    def _limits(self) -> Limits:
        alarms, bake = self.serving.alarms, self.serving.deployment.bake_minutes
        serverless, fleet = self.serving.serverless, self.serving.fleet
        return Limits(
            server_errors=alarms.server_error_rate,
            client_errors=alarms.client_error_rate,
            model_latency=1000 * alarms.model_latency_p99_ms,
            overhead_latency=0 if serverless or self.queue else 1000 * alarms.overhead_latency_p99_ms,
            cpu=alarms.cpu_percent * processors(fleet.instance_type) if fleet else 0,
            memory=0 if self.serving.component else alarms.memory_percent,
            gpu=alarms.gpu_percent * gpus(fleet.instance_type) if fleet else 0,
            gpu_memory=alarms.gpu_memory_percent * gpus(fleet.instance_type) if fleet else 0,
            setup=1e6 * serverless.setup_seconds if serverless else 0,
            shift=alarms.score_shift * self.model.data.span,
            shift_minutes=max(2, min(bake - 1, LONGEST_SHIFT)),
        )

    def _deployment(self, endpoint: Endpoint | Component, alarms: Alarms) -> None:
        unhurried = CfnCondition(self, "Unhurried", expression=Fn.condition_equals(self.parameters.urgent, NO))
        shift = self.serving.deployment
        times = {"termination_seconds": 60 * TERMINATION, "timeout_seconds": 60 * self.serving.deployment_minutes}
        names = [alarm.alarm_name for alarm in alarms.rollback]
        policy = guarded(policy=shift.policy, size_percent=shift.size_percent, bake_seconds=60 * shift.bake_minutes, alarms=names, **times)
        hurried = urgent_in_batches(timeout_seconds=times["timeout_seconds"]) if self.serving.component else urgent(**times)
        endpoint.move_by(policy, when=unhurried, otherwise=hurried)

    def _scaling(self, endpoint: Endpoint, fleet: Fleet, maximum: int) -> None:
        serving, table = self.serving, self.serving.asynchronous
        targets = {} if table else {"invocations-per-instance": (INVOCATIONS, serving.invocations_per_instance)}
        if serving.concurrency_per_instance is not None:
            targets["concurrency-per-instance"] = (CONCURRENCY, serving.concurrency_per_instance)
        schedule: list[Bounds] = []
        if off := serving.off_hours:
            evening, morning = nights(off.start, off.end, weekends=off.weekends)
            night, day = (off.instances, off.maximum_instances), (fleet.instances, maximum)
            schedule = [
                Bounds(name=name, cron=cron, timezone=off.timezone, minimum=least, maximum=most)
                for name, cron, (least, most) in (("off-hours", evening, night), ("working-hours", morning, day))
            ]
        Scaling(
            self,
            "Scaling",
            endpoint=endpoint.endpoint,
            variant=naming.VARIANT,
            minimum=0 if serving.scales_to_zero else fleet.instances,
            maximum=maximum,
            targets=targets,
            schedule=schedule,
            backlog=table.backlog_per_instance if table else None,
        )

    def _execution_role(self) -> ModelRole:
        alarms = self.format_arn(service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME)
        metrics = {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}}
        name, colon = self.log.log_group_name, ArnFormat.COLON_RESOURCE_NAME
        own_log = self.format_arn(service="logs", resource="log-group", resource_name=name, arn_format=colon)  # SageMaker asks for it
        asked = [group_arn(self, self.config, group) for group in self.model.features]
        return ModelRole(
            self,
            "Execution",
            role_name=naming.execution_role(self.config, self.model.name, self.place),
            description=f"What the endpoint {self.endpoint_name} may do",
            registered=permissions.registered(self, self.config, self.model.name),
            key=self.key.key_arn,
            statements=[
                *(
                    []
                    if self.serving.serverless or self.serving.component
                    else [allow("s3:PutObject", on=[self.capture.arn_for_objects(f"{naming.CAPTURE}/*")])]
                ),
                allow("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=[self.log.log_group_arn]),
                allow("logs:CreateLogGroup", on=[own_log]),
                allow("cloudwatch:PutMetricData", on=["*"], conditions=metrics),  # metrics have no resource to name
                allow("cloudwatch:DescribeAlarms", on=[alarms]),  # those that may take a deployment back
                *(self.queue.of_endpoint() if self.queue else []),
                *([allow("sagemaker:BatchGetRecord", on=asked)] if asked else []),
                *(self.vpc.for_jobs(self) if self.vpc else []),
            ],
        )

    def _verifier(self) -> None:
        config, model = self.config, self.model.name
        trusted = [naming.deploy_role(config, road, self.place) for road in (model, naming.PLATFORM)]
        if self.place == config.environments[-1]:
            trusted.append(naming.stage_project(config, model, naming.TRAIN))  # what serves there is the champion
        if layout.retrains(config, self.model, self.place):
            trusted.append(naming.controller_role(config, model))
        VerifierRole(
            self,
            "Verifier",
            role_name=naming.verifier_role(config, model, self.place),
            toolchain=config.toolchain.id,
            trusted=[permissions.role_arn(self, config.toolchain, role) for role in trusted],
            endpoint_name=self.endpoint_name,
            shared=self._shared,
            queued=self.queue.of_caller() if self.queue else [],
            features=for_comparing(self, config, self.place.account, self.model.features) if self.place == config.environments[0] else [],
        )

    def _outputs(self, endpoint: Endpoint | Component, alarms: Alarms) -> None:
        outputs = ServingOutputs(
            endpoint_name=_asked(endpoint),
            endpoint_config_name=_configuration(endpoint),
            model_package=self.parameters.model_package_arn,
            model_version=self.parameters.model_version,
            previous_model_version=self.parameters.previous_model_version,
            rollback_alarms=Fn.join(",", [alarm.alarm_name for alarm in alarms.rollback]),
            log_group=self.log.log_group_name,
            capture_bucket=self.capture.bucket_name,
            queue_bucket=self.queue.store.bucket_name if self.queue else "",
        )
        apart = Construct(self, "Outputs")  # some outputs have the name of a parameter
        for name, value in outputs.values().items():
            if value:
                CfnOutput(apart, name, value=value).override_logical_id(name)


def _asked(endpoint: Endpoint | Component) -> str:
    """Who answers: an endpoint, or a component of one."""
    if isinstance(endpoint, Component):
        return f"{COMPONENT}{endpoint.component.inference_component_name}"
    return endpoint.endpoint.attr_endpoint_name


def _configuration(endpoint: Endpoint | Component) -> str:
    """What SageMaker calls one version as it is deployed: the endpoint configuration, and of a component its model."""
    return endpoint.model.attr_model_name if isinstance(endpoint, Component) else endpoint.config.attr_endpoint_config_name
