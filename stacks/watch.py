"""A model in one environment, watched: what people look at once it serves, and what looks when no person does.

Which version is looked at are parameters, with the values of the version that serves. What the serving stack made is found through SSM
parameters, so either stack can be replaced alone. Where the model is not monitored, there is a dashboard and nothing else.
"""

from __future__ import annotations

from functools import cached_property

from aws_cdk import ArnFormat, CfnCondition, CfnParameter, Fn, Stack
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from config import Config, Environment
from model_code.spec import ModelSpec, Monitoring
from pipelines import monitoring
from stacks import names
from stacks.constructs.dashboard import Dashboard, Lines, Monitored
from stacks.constructs.drift_alarms import DriftAlarms
from stacks.constructs.event_rule import EventRule
from stacks.constructs.image_repository import PULL
from stacks.constructs.monitoring_pipeline import MonitoringPipeline
from stacks.constructs.score_metrics import NAMESPACE
from stacks.constructs.service_role import ServiceRole
from stacks.machines import processors
from stacks.permissions import allow, through_s3

NONE = "none"
JOB_LOGS = "/aws/sagemaker/ProcessingJobs"


class Watch(Stack):
    """One endpoint's, in the environment's account."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec, environment: Environment) -> None:
        super().__init__(scope, name, env=CdkEnvironment(account=environment.account.id, region=environment.account.region))
        self.config, self.model, self.environment_of = config, model, environment
        self.endpoint_name = config.name(model.name, environment.name)
        self.namespace = f"{NAMESPACE}/{self.endpoint_name}"
        alarms = [self._alarm_of_serving(alarm) for alarm in ("ServerErrors", "ModelLatency")]
        asked = model.monitoring if names.watched(config, model, environment) else None
        if asked:
            alarms += self._monitor(asked)
        Dashboard(
            self,
            "Dashboard",
            endpoint_name=self.endpoint_name,
            variant=names.VARIANT,
            namespace=self.namespace,
            processors=processors(model.serving[environment.name].instance_type),
            about=self._about(),
            alarms=alarms,
            lines=self._lines(),
            monitored=self._monitored(asked) if asked else None,
        )

    def _monitor(self, asked: Monitoring) -> list[cloudwatch.IAlarm]:
        version = {name: self._version(name) for name in monitoring.VERSION}
        known = CfnCondition(self, "Serves", expression=Fn.condition_not(Fn.condition_equals(version["ModelVersion"], NONE)))
        role = self._monitor_role(asked)
        pipeline = self.config.name(self.model.name, self.environment_of.name, "monitoring")
        MonitoringPipeline(
            self,
            "Monitoring",
            pipeline_name=pipeline,
            description=f"Looks for drift in what {self.endpoint_name} is asked and answers",
            definition=monitoring.definition(self.model, self._place(role.role_arn), version),
            job_role=role.role_arn,
            key=self._key,
            hours=asked.every_hours,
            state=Fn.condition_if(known.logical_id, "ENABLED", "DISABLED").to_string(),
        )
        alarms = DriftAlarms(
            self,
            "Alarms",
            endpoint_name=self.endpoint_name,
            alarm_name=names.drift_alarm(self.config, self.model, self.environment_of),
            namespace=self.namespace,
            hours=asked.every_hours,
            drifted=asked.drifted_windows,
            of=asked.of_windows,
            topic=sns.Topic.from_topic_arn(self, "Notices", self._topic),
        )
        if asked.retraining and "drift" in asked.retraining.on:
            self._tell_toolchain(alarms.drift)
        return [alarms.drift, alarms.silent]

    def _place(self, role: str) -> monitoring.Place:
        return monitoring.Place(
            endpoint=self.endpoint_name,
            variant=names.VARIANT,
            role=role,
            key=self._key,
            capture=f"s3://{self._bucket}/{names.CAPTURE}",
            labels=f"s3://{self._bucket}/{names.LABELS}",
            reports=f"s3://{self._bucket}/{names.MONITOR}",
            namespace=self.namespace,
            topic=self._topic,
            region=self.region,
        )

    def _monitor_role(self, asked: Monitoring) -> ServiceRole:
        toolchain, repository = self.config.toolchain, names.image_repository(self.config, self.model)
        images = self.format_arn(service="ecr", account=toolchain.id, resource="repository", resource_name=repository)
        trained = self.format_arn(service="s3", region="", account="", resource=names.artifacts_bucket(self.config, self.model))
        trained_key = self.format_arn(service="kms", account=toolchain.id, resource="key", resource_name="*")
        captured = self.format_arn(service="s3", region="", account="", resource=self._bucket)
        logs = self.format_arn(service="logs", resource="log-group", resource_name=f"{JOB_LOGS}*", arn_format=ArnFormat.COLON_RESOURCE_NAME)
        read = [names.CAPTURE, names.LABELS, *([names.MONITOR] if asked.instances > 1 else [])]  # counts of several instances come together
        spaces = {"StringEquals": {"cloudwatch:namespace": [self.namespace, JOB_LOGS]}}
        return ServiceRole(
            self,
            "Monitor",
            role_name=names.monitor_role(self.config, self.model, self.environment_of),
            service="sagemaker.amazonaws.com",
            description=f"What the jobs that watch {self.endpoint_name} may do",
            statements=[
                allow(*PULL, on=[images]),
                allow("ecr:GetAuthorizationToken", on=["*"]),  # has no resource to name
                allow("s3:GetObject", on=[f"{trained}/{names.SERVED}", *(f"{captured}/{folder}/*" for folder in read)]),
                allow("s3:ListBucket", on=[trained, captured]),
                allow("s3:PutObject", on=[f"{captured}/{names.MONITOR}/*"]),
                allow("kms:Decrypt", on=[trained_key], conditions=through_s3(toolchain)),
                allow("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", on=[self._key]),
                allow("kms:CreateGrant", on=[self._key], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
                allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=[logs]),
                allow("cloudwatch:PutMetricData", on=["*"], conditions=spaces),  # metrics have no resource to name
                allow("sns:Publish", on=[self._topic]),
            ],
        )

    def _tell_toolchain(self, alarm: cloudwatch.Alarm) -> None:
        bus = self.format_arn(service="events", account=self.config.toolchain.id, resource="event-bus", resource_name=self.config.project)
        EventRule(
            self,
            "Tell",
            description=f"Tells the toolchain that {self.endpoint_name} has drifted",
            pattern=names.drifts(self.config, self.model, self.environment_of),
            target=bus,
            action="events:PutEvents",
        ).node.add_dependency(alarm)

    def _version(self, name: str) -> str:
        described = "Of the version that serves; none: it is not known, and nothing is looked at"
        return CfnParameter(self, name, description=described, default=NONE).value_as_string

    @cached_property
    def _bucket(self) -> str:
        return self._fact("CaptureBucket", "capture-bucket")

    @cached_property
    def _key(self) -> str:
        return self._fact("Key", "key")

    @cached_property
    def _topic(self) -> str:
        return self._fact("Topic", "topic")

    def _fact(self, name: str, fact: str) -> str:
        """Resolved when the stack is deployed: nothing is looked up at synth."""
        path = self.config.parameter(self.model.name, f"{self.environment_of.name}/{fact}")
        return CfnParameter(self, name, type="AWS::SSM::Parameter::Value<String>", default=path).value_as_string

    def _alarm_of_serving(self, name: str) -> cloudwatch.IAlarm:
        alarm = f"{self.endpoint_name}-{name}"
        arn = self.format_arn(service="cloudwatch", resource="alarm", resource_name=alarm, arn_format=ArnFormat.COLON_RESOURCE_NAME)
        return cloudwatch.Alarm.from_alarm_arn(self, name, arn)

    def _lines(self) -> Lines:
        limits = self.model.serving[self.environment_of.name].alarms
        return Lines(
            server_errors=100 * limits.server_error_rate,
            client_errors=100 * limits.client_error_rate,
            latency=limits.model_latency_p99_ms,
            cpu=limits.cpu_percent,
            memory=limits.memory_percent,
        )

    def _monitored(self, asked: Monitoring) -> Monitored:
        return Monitored(
            hours=asked.every_hours,
            psi=asked.psi,
            rows=asked.minimum_rows,
            roc_auc=self.model.gates.roc_auc,
            calibration_error=asked.calibration_error,
            labels=asked.minimum_labels,
        )

    def _about(self) -> str:
        console, home = f"https://{self.region}.console.aws.amazon.com", self.config.toolchain.region
        road = self.config.name(self.model.name)
        links = [
            f"[delivery pipeline](https://{home}.console.aws.amazon.com/codesuite/codepipeline/pipelines/{road}/view?region={home})"
            f" (account {self.config.toolchain.id})",
            f"[endpoint]({console}/sagemaker/home?region={self.region}#/endpoints/{self.endpoint_name})",
        ]
        if names.watched(self.config, self.model, self.environment_of):
            links.append(f"[reports of the monitor]({console}/s3/buckets/{self._bucket}?prefix={names.MONITOR}/)")
        runbook = f"what to do: `docs/platform-engineer.md` of `{self.config.repository.id}`"
        owners = f"{self.model.purpose.rstrip('.')}. Owner: {self.model.owner}"
        return f"# {self.endpoint_name}\n{owners}\n\n{' · '.join([*links, runbook])}"
