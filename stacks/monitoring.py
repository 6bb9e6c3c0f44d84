"""A model in one environment, watched: what people look at once it serves, and what looks when no person does.

Which version is looked at are parameters, with the values of the version that serves. What the serving stack made is found through SSM
parameters, so either stack can be replaced alone. Where the model is not monitored, there is a dashboard and nothing else.
"""

from __future__ import annotations

from functools import cached_property

from aws_cdk import ArnFormat, CfnCondition, CfnParameter, Fn, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

import naming
from config import Config, Environment
from deployability.instances import gpus, processors
from paved_runtime.spec import ModelSpec, TaskName
from paved_runtime.spec import Monitoring as Table
from pipelines import monitoring, tags
from pipelines.serving_stack import NO_VERSION, MonitoringParameters
from stacks import facts, layout, permissions
from stacks.constructs.absence_alarm import AbsenceAlarm
from stacks.constructs.dashboard import Copies, Dashboard, Instances, Lines, Monitored, OnDemand, Scores
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.drift_alarms import DriftAlarms
from stacks.constructs.event_rule import EventRule, alarm_pattern
from stacks.constructs.job_pipeline import JobPipeline
from stacks.constructs.model_role import ModelRole
from stacks.network import vpc_config
from stacks.permissions import allow

SCORES: dict[TaskName, Scores] = {
    "binary": Scores(unit="score"),
    "multiclass": Scores(unit="mean place among the classes: 0 the first, 1 the last"),
    "regression": Scores(unit="score, in the target's unit", least=None, most=None),
}
JOB_LOGS = "/aws/sagemaker/ProcessingJobs"


class Monitoring(Stack):
    """One endpoint's, in the environment's account."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec, environment: Environment) -> None:
        place = CdkEnvironment(account=environment.account.id, region=environment.account.region)
        super().__init__(scope, name, env=place, tags=tags.of(config, model, environment))
        self.config, self.model, self.place = config, model, environment
        self.serving = model.serving[environment.name]
        self.endpoint_name = naming.endpoint(config, model.name, environment)
        self.vpc = vpc_config(self, config, environment.account) if layout.monitored(config, model, environment) else None
        self.namespace = naming.metric_namespace(config, model.name, environment)
        alarms: list[cloudwatch.IAlarm] = [*self._absence(), *(self._alarm_of_serving(alarm) for alarm in self._watched())]
        table = model.monitoring if layout.monitored(config, model, environment) else None
        if table:
            alarms += self._monitor(table)
        Dashboard(
            self,
            "Dashboard",
            endpoint_name=self.endpoint_name,
            variant=naming.VARIANT,
            namespace=self.namespace,
            runs_on=self._runs_on(),
            about=self._about(),
            alarms=alarms,
            lines=self._lines(),
            scores=SCORES[model.task],
            monitored=self._monitored(table) if table else None,
            queue=60 * self.serving.asynchronous.oldest_request_minutes if self.serving.asynchronous else None,
        )

    def _absence(self) -> list[cloudwatch.IAlarm]:
        """The alarm on an endpoint that is gone: idle instances tell their load. One that may have no instance is not missed, and of a
        serverless one or a component that nobody asks there is nothing to see.
        """
        if self.serving.scales_to_zero or self.serving.serverless or self.serving.component:
            return []
        return [
            AbsenceAlarm(
                self,
                "Gone",
                endpoint_name=self.endpoint_name,
                variant=naming.VARIANT,
                alarm_name=naming.alarm(self.config, self.model.name, self.place, naming.GONE),
                topic=self._notices,
            )
        ]

    def _watched(self) -> tuple[str, ...]:
        """The endpoint's own alarms that the serving stack has."""
        of_queue = (naming.OLDEST_REQUEST, naming.LOST_REQUESTS) if self.serving.asynchronous else ()
        return (naming.SERVER_ERRORS, naming.MODEL_LATENCY, *of_queue)

    def _runs_on(self) -> Instances | OnDemand | Copies:
        if self.serving.component:
            return Copies(at_once=self.serving.component.concurrency_per_copy)
        if serverless := self.serving.serverless:
            return OnDemand(memory_mb=serverless.memory_mb, setup=1000 * serverless.setup_seconds)
        fleet = self.serving.fleet
        assert fleet is not None, "without serverless there are instances"
        return Instances(processors=processors(fleet.instance_type), gpus=gpus(fleet.instance_type))

    def _monitor(self, table: Table) -> list[cloudwatch.IAlarm]:
        version = self._version()
        known = CfnCondition(self, "Serves", expression=Fn.condition_not(Fn.condition_equals(version.model_version, NO_VERSION)))
        role = self._monitoring_role(table)
        definition = monitoring.definition(self.model, self._where(role.role_arn), version)
        letters = DeadLetters(
            self,
            "DeadLetters",
            queue_name=naming.dead_letters(self.config, self.model.name, self.place),
            about=f"{self.endpoint_name}: starts of the monitor and drift that the toolchain is told of",
            key=kms.Key.from_key_arn(self, "NoticesKey", self._key),
            topic=self._notices,
        )
        JobPipeline(
            self,
            "Monitoring",
            pipeline_name=naming.monitoring_pipeline(self.config, self.model.name, self.place),
            description=f"Looks for drift in what {self.endpoint_name} is asked and answers",
            definition=tags.with_jobs(definition, tags.of(self.config, self.model, self.place)),
            job_role=role.role_arn,
            key=self._key,
            schedule=f"rate({table.every_hours} hour{'s' if table.every_hours > 1 else ''})",
            state=Fn.condition_if(known.logical_id, "ENABLED", "DISABLED").to_string(),
            dead_letters=letters,
        )
        alarms = DriftAlarms(
            self,
            "Alarms",
            endpoint_name=self.endpoint_name,
            drift=naming.alarm(self.config, self.model.name, self.place, naming.DRIFT),
            unread=naming.alarm(self.config, self.model.name, self.place, naming.CAPTURE_UNREAD),
            silent=naming.alarm(self.config, self.model.name, self.place, naming.MONITOR_SILENT),
            namespace=self.namespace,
            hours=table.every_hours,
            drifted=table.drifted_windows,
            of=table.of_windows,
            accepted=table.unread,
            topic=self._notices,
        )
        if table.retraining and "drift" in table.retraining.on:
            self._tell_toolchain(alarms.drift, letters)
        return [alarms.drift, alarms.unread, alarms.silent, letters.alarm]

    def _version(self) -> MonitoringParameters:
        """Declare the parameters; references to their values."""
        return MonitoringParameters.read(
            {
                name: CfnParameter(self, name, description=field.metadata["description"], default=field.metadata["default"]).value_as_string
                for name, field in MonitoringParameters.declared().items()
            }
        )

    def _where(self, role: str) -> monitoring.Place:
        return monitoring.Place(
            endpoint=self.endpoint_name,
            variant=naming.VARIANT,
            role=role,
            key=self._key,
            capture=f"s3://{self._bucket}/{naming.CAPTURE}",
            labels=f"s3://{self._bucket}/{naming.LABELS}",
            reports=f"s3://{self._bucket}/{naming.MONITORING}",
            namespace=self.namespace,
            topic=self._topic,
            region=self.region,
            console=naming.console(self.region),
            subnets=self.vpc.subnets if self.vpc else (),
            security_groups=self.vpc.security_groups if self.vpc else (),
        )

    def _monitoring_role(self, table: Table) -> ModelRole:
        captured = self.format_arn(service="s3", region="", account="", resource=self._bucket)
        logs = self.format_arn(service="logs", resource="log-group", resource_name=f"{JOB_LOGS}*", arn_format=ArnFormat.COLON_RESOURCE_NAME)
        shared = [naming.MONITORING] if table.instances > 1 else []  # counts of several instances come together
        read = [naming.CAPTURE, naming.LABELS, *shared]
        endpoint = self.format_arn(service="sagemaker", resource="endpoint", resource_name=self.endpoint_name)
        spaces = {"StringEquals": {"cloudwatch:namespace": [self.namespace, JOB_LOGS]}}
        return ModelRole(
            self,
            "Monitor",
            role_name=naming.monitoring_role(self.config, self.model.name, self.place),
            description=f"What the jobs that watch {self.endpoint_name} may do",
            registered=permissions.registered(self, self.config, self.model.name),
            key=self._key,
            statements=[
                allow("s3:GetObject", on=[f"{captured}/{folder}/*" for folder in read]),
                allow("s3:ListBucket", on=[captured]),
                allow("s3:PutObject", on=[f"{captured}/{naming.MONITORING}/*"]),
                allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=[logs]),
                allow("cloudwatch:GetMetricData", on=["*"]),
                allow("cloudwatch:PutMetricData", on=["*"], conditions=spaces),  # metrics have no resource to name
                allow("sagemaker:DescribeEndpoint", on=[endpoint]),
                allow("sns:Publish", on=[self._topic]),
                *(self.vpc.for_jobs(self) if self.vpc else []),
            ],
        )

    def _tell_toolchain(self, alarm: cloudwatch.Alarm, letters: DeadLetters) -> None:
        home, name = self.config.toolchain.id, naming.event_bus(self.config)
        bus = self.format_arn(service="events", account=home, resource="event-bus", resource_name=name)
        EventRule(
            self,
            "Tell",
            description=f"Tells the toolchain that {self.endpoint_name} has drifted",
            pattern=alarm_pattern(self.place.account.id, alarm.alarm_name),
            target=bus,
            action="events:PutEvents",
            dead_letters=letters,
        )

    @cached_property
    def _notices(self) -> sns.ITopic:
        return sns.Topic.from_topic_arn(self, "Notices", self._topic)

    @cached_property
    def _bucket(self) -> str:
        return self._fact("capture-bucket")

    @cached_property
    def _key(self) -> str:
        return self._fact("key")

    @cached_property
    def _topic(self) -> str:
        return self._fact("topic")

    def _fact(self, fact: str) -> str:
        return facts.find(self, fact, naming.environment_parameter(self.config, self.model.name, self.place, fact))

    def _alarm_of_serving(self, name: str) -> cloudwatch.IAlarm:
        alarm = naming.alarm(self.config, self.model.name, self.place, name)
        arn = self.format_arn(service="cloudwatch", resource="alarm", resource_name=alarm, arn_format=ArnFormat.COLON_RESOURCE_NAME)
        return cloudwatch.Alarm.from_alarm_arn(self, name, arn)

    def _lines(self) -> Lines:
        limits = self.serving.alarms
        return Lines(
            server_errors=100 * limits.server_error_rate,
            client_errors=100 * limits.client_error_rate,
            latency=limits.model_latency_p99_ms,
            cpu=limits.cpu_percent,
            memory=limits.memory_percent,
            gpu=limits.gpu_percent,
            gpu_memory=limits.gpu_memory_percent,
        )

    def _monitored(self, table: Table) -> Monitored:
        metric, title = {
            "binary": ("RocAuc", "ROC AUC"),
            "multiclass": ("RocAuc", "mean ROC AUC"),
            "regression": ("R2", "R²"),
        }[self.model.task]
        return Monitored(
            hours=table.every_hours,
            psi=table.psi,
            rows=table.minimum_rows,
            unread=table.unread,
            headline=metric,
            title=title,
            floor=self.model.gates.floor,
            classes=self.model.task == "multiclass",
            calibration_error=table.calibration_error,
            labels=table.minimum_labels,
        )

    @property
    def _asked(self) -> str:
        """The endpoint that is asked: the model's own, or the one that it shares."""
        table = self.serving.component
        return naming.shared_endpoint(self.config, self.place, table.endpoint) if table else self.endpoint_name

    def _about(self) -> str:
        console, home = naming.console(self.region), self.config.toolchain.region
        road = naming.delivery_pipeline(self.config, self.model.name)
        links = [
            f"[delivery pipeline]({naming.console(home)}/codesuite/codepipeline/pipelines/{road}/view?region={home})"
            f" (account {self.config.toolchain.id})",
            f"[endpoint]({console}/sagemaker/home?region={self.region}#/endpoints/{self._asked})",
        ]
        if layout.monitored(self.config, self.model, self.place):
            links.append(f"[reports of the monitor]({console}/s3/buckets/{self._bucket}?prefix={naming.MONITORING}/)")
        runbook = f"what to do: `docs/platform-engineer.md` of `{self.config.repository.id}`"
        owners = f"{self.model.purpose.rstrip('.')}. Owner: {self.model.owner}"
        return f"# {self.endpoint_name}\n{owners}\n\n{' · '.join([*links, runbook])}"
