"""The pipelines' home: where a push becomes a deployment.

Holds nothing that cannot be made again: its artifacts are copies that live as long as an execution may wait for approval.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import CfnOutput, Environment, RemovalPolicy, Stack
from aws_cdk import aws_codeconnections as codeconnections
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from config import Config
from model_code.spec import ModelSpec
from pipelines.delivery import SCHEDULE, Approval, Job, Road, model_road, platform_road, retraining_road
from stacks import names, permissions
from stacks.constructs.delivery_pipeline import DeliveryPipeline, action
from stacks.constructs.event_rule import EventRule
from stacks.constructs.key import Key
from stacks.constructs.notices import Notices
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.stage_project import StageProject
from stacks.constructs.store import Store

ARTIFACT_DAYS = 90
Statements = list[iam.PolicyStatement]


class Toolchain(Stack):
    """One delivery pipeline a model and the platform's, with what they share: connection, artifact store, key, approval mail.

    A model that is retrained without a push has a second, small pipeline, which decides when.
    """

    def __init__(self, scope: Construct, name: str, *, config: Config, models: Sequence[ModelSpec]) -> None:
        super().__init__(scope, name, env=Environment(account=config.toolchain.id, region=config.toolchain.region))
        self.config = config
        self.key = Key(self, "Key", description="Artifacts and approval requests of the delivery pipelines")
        self.store = Store(self, "Artifacts", key=self.key, expire_days=ARTIFACT_DAYS)
        self.approvals = Notices(self, "Approvals", key=self.key, addresses=config.owners)
        self.connection = codeconnections.CfnConnection(
            self, "Connection", connection_name=config.project, provider_type=config.repository.provider
        )
        CfnOutput(
            self, "ConnectionArn", value=self.connection.attr_connection_arn, description="A person authorises it once, in the console"
        )
        self.bus = self._events()
        for model in models:
            self._place(model_road(config, model), self._model_permissions(model))
            if names.judged(config, model, config.environments[-1]):
                pipeline = self._place(retraining_road(config, model), {"Judge": permissions.judge(self, config, model)})
                self._wake(pipeline, model)
        self._place(platform_road(config, models), self._platform_permissions())

    def _model_permissions(self, model: ModelSpec) -> dict[str, Statements]:
        deploys = {e.name.title(): permissions.deploy(self, self.config, model, e) for e in self.config.environments}
        build, train = permissions.build(self, self.config, model), permissions.train(self, self.config, model)
        return {"Build": build, "Train": train, **deploys}

    def _platform_permissions(self) -> dict[str, Statements]:
        deploys = {e.name.title(): permissions.redeploy(self, self.config, e) for e in self.config.environments}
        return {"Check": [], "Update": permissions.cdk(self, self.config.toolchain), **deploys}

    def _events(self) -> str:
        """The bus on which the environments' accounts tell of alarms; its name."""
        bus = events.CfnEventBus(self, "Events", name=self.config.project, description="Alarms of the environments")
        others = {e.account.id: None for e in self.config.environments if e.account.id != self.config.toolchain.id}
        if others:
            told = iam.PolicyStatement(
                sid="Environments",
                principals=[iam.AccountPrincipal(account) for account in others],
                actions=["events:PutEvents"],
                resources=[bus.attr_arn],
                conditions={"StringEquals": {"events:source": names.ALARMS, "events:detail-type": names.ALARM_CHANGES}},
            )
            events.CfnEventBusPolicy(
                self, "EventsPolicy", event_bus_name=bus.ref, statement_id="Environments", statement=told.to_statement_json()
            )
        return bus.ref

    def _wake(self, pipeline: DeliveryPipeline, model: ModelSpec) -> None:
        """What has the judge look: it finds the causes itself, so it does not matter which event was lost, or came twice."""
        assert model.monitoring
        assert model.monitoring.retraining
        asked = model.monitoring.retraining
        uploaded = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
        bucket = {"detail": {"bucket": {"name": [names.data_bucket(self.config, model)]}}}
        ways: dict[str, dict[str, Any]] = {
            "drift": {"pattern": names.drifts(self.config, model, self.config.environments[-1]), "bus": self.bus},
            "data": {"pattern": {**uploaded, **bucket}},
            "schedule": {"schedule": asked.schedule, "rule_name": self.config.name(model.name, SCHEDULE)},
        }
        hours = f"rate({asked.cooldown_hours} hour{'s' if asked.cooldown_hours > 1 else ''})"
        again = {"again": {"schedule": hours}}  # what had to wait, and still rings, has no new event
        for cause, way in ({cause: ways[cause] for cause in asked.on} | again).items():
            EventRule(
                pipeline,
                cause.title(),
                description=f"{model.name}: has the judge of retraining look ({cause})",
                target=self.format_arn(service="codepipeline", resource=pipeline.ref),
                action="codepipeline:StartPipelineExecution",
                **way,
            )

    def _place(self, road: Road, allowed: dict[str, Statements]) -> DeliveryPipeline:
        home = Construct(self, "".join([road.model.title().replace("_", ""), *map(str.title, road.suffix)]))
        log_group = logs.LogGroup(home, "Log", retention=logs.RetentionDays.ONE_YEAR, removal_policy=RemovalPolicy.DESTROY)
        projects = {job.name: self._project(home, road, job, allowed[job.name], log_group) for job in road.jobs}
        return DeliveryPipeline(
            home,
            "Pipeline",
            pipeline_name=self.config.name(road.model, *road.suffix),
            role=self._pipeline_role(home, road, projects.values()),
            store=self.store,
            key=self.key,
            branch=self.config.repository.branch,
            paths=road.paths,
            supersedes=road.supersedes,
            actions=[self._source(), *(self._action(stage, projects) for stage in road.stages)],
        )

    def _project(self, home: Construct, road: Road, job: Job, allowed: Statements, log_group: logs.ILogGroup) -> StageProject:
        suffix = ("deploy", job.environment.name) if job.environment else (job.name.lower(),)
        return StageProject(
            home,
            job.name,
            project_name=self.config.name(road.model, *suffix),
            buildspec=job.buildspec(),
            statements=[*permissions.artifacts(self.store, self.key), *allowed],
            key=self.key,
            log_group=log_group,
            privileged=job.builds_images,
            timeout_minutes=job.timeout_minutes,
        )

    def _pipeline_role(self, home: Construct, road: Road, projects: Iterable[StageProject]) -> ServiceRole:
        connection, asks = self.connection.attr_connection_arn, any(isinstance(stage, Approval) for stage in road.stages)
        return ServiceRole(
            home,
            "Role",
            service="codepipeline.amazonaws.com",
            description="Takes the source, starts the stages' projects, asks for approval",
            statements=[
                *permissions.artifacts(self.store, self.key),
                permissions.allow("codeconnections:UseConnection", "codestar-connections:UseConnection", on=[connection]),
                permissions.allow("codebuild:BatchGetBuilds", "codebuild:StartBuild", on=[stage.project.project_arn for stage in projects]),
                *([permissions.allow("sns:Publish", on=[self.approvals.topic_arn])] if asks else []),
            ],
        )

    def _source(self) -> dict[str, Any]:
        repository = self.config.repository
        return action(
            "Source",
            category="Source",
            provider="CodeStarSourceConnection",
            configuration={
                "ConnectionArn": self.connection.attr_connection_arn,
                "FullRepositoryId": repository.id,
                "BranchName": repository.branch,
                "DetectChanges": "false",  # the trigger's path filter starts the pipeline
            },
            outputs=["Source"],
            namespace="Source",
        )

    def _action(self, stage: Job | Approval, projects: dict[str, StageProject]) -> dict[str, Any]:
        if isinstance(stage, Approval):
            return action(
                stage.name,
                category="Approval",
                provider="Manual",
                configuration={"NotificationArn": self.approvals.topic_arn, "CustomData": stage.request},
            )
        variables = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in stage.variables.items()]
        return action(
            stage.name,
            category="Build",
            provider="CodeBuild",
            configuration={
                "ProjectName": projects[stage.name].project.project_name,
                "PrimarySource": stage.inputs[0],
                "EnvironmentVariables": json.dumps(variables) if variables else "",
            },
            inputs=stage.inputs,
            outputs=[stage.output] if stage.output else [],
            namespace=stage.name,
        )
