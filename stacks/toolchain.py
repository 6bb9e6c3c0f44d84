"""The pipelines' home: where a push becomes a deployment.

Holds nothing that cannot be made again: its artifacts are copies that live as long as an execution may wait for approval.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from aws_cdk import CfnOutput, Environment, RemovalPolicy, Stack
from aws_cdk import aws_codeconnections as codeconnections
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from config import Config
from model_code.spec import ModelSpec
from pipelines.delivery import Approval, Job, Road, model_road, platform_road
from stacks import permissions
from stacks.constructs.delivery_pipeline import DeliveryPipeline, action
from stacks.constructs.key import Key
from stacks.constructs.notices import Notices
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.stage_project import StageProject
from stacks.constructs.store import Store

ARTIFACT_DAYS = 90
Statements = list[iam.PolicyStatement]


class Toolchain(Stack):
    """One delivery pipeline a model and the platform's, with what they share: connection, artifact store, key, approval mail."""

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
        for model in models:
            self._place(model_road(config, model), self._model_permissions(model))
        self._place(platform_road(config, models), self._platform_permissions())

    def _model_permissions(self, model: ModelSpec) -> dict[str, Statements]:
        deploys = {e.name.title(): permissions.deploy(self, self.config, model, e) for e in self.config.environments}
        build, train = permissions.build(self, self.config, model), permissions.train(self, self.config, model)
        return {"Build": build, "Train": train, **deploys}

    def _platform_permissions(self) -> dict[str, Statements]:
        deploys = {e.name.title(): permissions.redeploy(self, self.config, e) for e in self.config.environments}
        return {"Check": [], "Update": permissions.cdk(self, self.config.toolchain), **deploys}

    def _place(self, road: Road, allowed: dict[str, Statements]) -> None:
        home = Construct(self, road.model.title().replace("_", ""))
        log_group = logs.LogGroup(home, "Log", retention=logs.RetentionDays.ONE_YEAR, removal_policy=RemovalPolicy.DESTROY)
        projects = {job.name: self._project(home, road, job, allowed[job.name], log_group) for job in road.jobs}
        DeliveryPipeline(
            home,
            "Pipeline",
            pipeline_name=self.config.name(road.model),
            role=self._pipeline_role(home, projects.values()),
            store=self.store,
            key=self.key,
            branch=self.config.repository.branch,
            paths=road.paths,
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

    def _pipeline_role(self, home: Construct, projects: Iterable[StageProject]) -> ServiceRole:
        connection, topic = self.connection.attr_connection_arn, self.approvals.topic_arn
        return ServiceRole(
            home,
            "Role",
            service="codepipeline.amazonaws.com",
            description="Takes the source, starts the stages' projects, asks for approval",
            statements=[
                *permissions.artifacts(self.store, self.key),
                permissions.allow("codeconnections:UseConnection", "codestar-connections:UseConnection", on=[connection]),
                permissions.allow("codebuild:BatchGetBuilds", "codebuild:StartBuild", on=[stage.project.project_arn for stage in projects]),
                permissions.allow("sns:Publish", on=[topic]),
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
