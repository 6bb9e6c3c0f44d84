"""Where a push becomes a deployment: the pipelines of one model, or of the infrastructure under all models, each road a CodePipeline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from aws_cdk import Environment, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

import naming
from config import Config
from paved_runtime.spec import ModelSpec, Retraining
from pipelines import tags
from pipelines.delivery import (
    Action,
    Approval,
    Job,
    Road,
    model_road,
    onboarding_road,
    platform_road,
    pull_request_check,
    retraining_road,
)
from pipelines.waiting import ACTIONS
from stacks import build_environment, facts, layout, permissions
from stacks.constructs.build_reach import BuildReach
from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.delivery_pipeline import DeliveryPipeline, action, entered_where
from stacks.constructs.event_rule import EventRule, alarm_pattern, upload_pattern
from stacks.constructs.pull_request_check import PullRequestCheck
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.stage_project import StageProject
from stacks.network import vpc_of_builds

Statements = list[iam.PolicyStatement]


class Delivery(Stack):
    """Roads in the toolchain's account, with what they share there found through SSM parameters."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec | None = None) -> None:
        home = Environment(account=config.toolchain.id, region=config.toolchain.region)
        super().__init__(scope, name, env=home, tags=tags.of(config, model))
        self.config = config

    @cached_property
    def store(self) -> s3.IBucket:
        """The artifact store."""
        return s3.Bucket.from_bucket_name(self, "Artifacts", self._shared("artifact-bucket"))

    @cached_property
    def key(self) -> kms.IKey:
        """What encrypts artifacts."""
        return kms.Key.from_key_arn(self, "ArtifactKey", self._shared("key"))

    @cached_property
    def approvals(self) -> str:
        """The topic that tells people what waits for them."""
        return self._shared("approvals")

    @cached_property
    def connection(self) -> str:
        """The connection to the repository."""
        return self._shared("connection")

    @cached_property
    def reach(self) -> BuildReach:
        """What builds reach, and how."""
        builds = self.config.builds
        return BuildReach(
            vpc=vpc_of_builds(self, self.config),
            variables=build_environment.variables(builds),
            secrets=build_environment.secrets(builds),
        )

    def place(self, home: str, road: Road, allowed: Mapping[str, Statements]) -> DeliveryPipeline:
        """Make a road's pipeline. `allowed` is what each of its jobs may do."""
        scope = Construct(self, home)
        log_group = logs.LogGroup(scope, "Log", retention=logs.RetentionDays.ONE_YEAR, removal_policy=RemovalPolicy.DESTROY)
        projects = {job.name: self._project(scope, road, job, allowed[job.name], log_group) for job in road.jobs}
        source = {"name": naming.SOURCE, "actions": [self._source()]}
        stages = [source, *(placed for stage in road.stages for placed in self._stages(stage, projects))]
        return DeliveryPipeline(
            scope,
            "Pipeline",
            pipeline_name=road.pipeline,
            role=self._pipeline_role(scope, road, projects.values()),
            store=self.store,
            key=self.key,
            branch=self.config.repository.branch,
            paths=road.paths,
            supersedes=road.supersedes,
            stages=stages,
        )

    def _shared(self, fact: str) -> str:
        return facts.find(self, fact, naming.toolchain_parameter(self.config, fact))

    def _project(self, scope: Construct, road: Road, job: Job, allowed: Statements, log_group: logs.ILogGroup) -> StageProject:
        return StageProject(
            scope,
            job.name,
            project_name=naming.stage_project(self.config, road.model, job.name, job.environment),
            buildspec=job.buildspec(),
            statements=[*permissions.artifacts(self.store, self.key), *allowed],
            key=self.key,
            log_group=log_group,
            reach=self.reach,
            privileged=job.builds_images,
            compute=job.compute,
            timeout_minutes=job.timeout_minutes,
        )

    def _pipeline_role(self, scope: Construct, road: Road, projects: Iterable[StageProject]) -> ServiceRole:
        asks = any(isinstance(stage, Approval) for stage in road.stages)
        return ServiceRole(
            scope,
            "Role",
            service="codepipeline.amazonaws.com",
            description="Takes the source, starts the stages' projects, asks for approval",
            statements=[
                *permissions.artifacts(self.store, self.key),
                permissions.allow("codeconnections:UseConnection", "codestar-connections:UseConnection", on=[self.connection]),
                permissions.allow("codebuild:BatchGetBuilds", "codebuild:StartBuild", on=[stage.project.project_arn for stage in projects]),
                *([permissions.allow("sns:Publish", on=[self.approvals])] if asks else []),
            ],
        )

    def _source(self) -> dict[str, Any]:
        repository = self.config.repository
        return action(
            naming.SOURCE,
            category="Source",
            provider="CodeStarSourceConnection",
            configuration={
                "ConnectionArn": self.connection,
                "FullRepositoryId": repository.id,
                "BranchName": repository.branch,
                "DetectChanges": "false",  # the trigger's path filter starts the pipeline
            },
            outputs=[naming.SOURCE],
            namespace=naming.SOURCE,
        )

    def _stages(self, stage: Job | Approval, projects: Mapping[str, StageProject]) -> Iterator[dict[str, Any]]:
        """One, or as many as it takes where a job is done for more models than a stage has actions."""
        if isinstance(stage, Approval):
            yield {"name": stage.name, "actions": [self._approval(stage)]}
            return
        condition, actions = stage.condition, [self._build(stage, projects[stage.name], each) for each in stage.actions]
        entry = {"entry": entered_where(str(condition.variable), condition.value)} if condition else {}
        for first in range(0, len(actions), ACTIONS):
            name = f"{stage.name}.{first // ACTIONS + 1}" if first else stage.name
            yield {"name": name, "actions": actions[first : first + ACTIONS], **entry}

    def _approval(self, stage: Approval) -> dict[str, Any]:
        configuration = {"NotificationArn": self.approvals, "CustomData": stage.request}
        return action(stage.name, category="Approval", provider="Manual", configuration=configuration)

    def _build(self, stage: Job, project: StageProject, build: Action) -> dict[str, Any]:
        """An action that runs the job's commands."""
        variables = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in build.variables.items()]
        return action(
            build.name,
            category="Build",
            provider="CodeBuild",
            configuration={
                "ProjectName": project.project.project_name,
                "PrimarySource": stage.inputs[0],
                "EnvironmentVariables": json.dumps(variables) if variables else "",
            },
            inputs=stage.inputs,
            outputs=[stage.output] if stage.output else [],
            namespace=build.namespace,
            order=build.order,
        )


class ModelDelivery(Delivery):
    """One model's road. A model that is retrained without a push has a second, small pipeline, which decides when."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec) -> None:
        super().__init__(scope, name, config=config, model=model)
        self.model = model
        self.place("Delivery", model_road(config, model), self._allowed())
        if layout.retrains(config, model, config.environments[-1]):
            controller = self.place(
                "Retraining", retraining_road(config, model), {naming.CONTROL: permissions.control(self, config, model)}
            )
            assert model.monitoring
            assert model.monitoring.retraining
            self._wake(controller, model.monitoring.retraining)

    def _allowed(self) -> dict[str, Statements]:
        config, model = self.config, self.model
        return {
            naming.BUILD: permissions.build(self, config, model),
            naming.UPDATE: permissions.cdk(self, config, config.toolchain),
            naming.TRAIN: permissions.train(self, config, model),
            **{naming.stage(e): permissions.deploy(self, config, model, e) for e in config.environments},
        }

    def _wake(self, pipeline: DeliveryPipeline, retraining: Retraining) -> None:
        """What has the controller look: it finds the causes itself, so it does not matter which event was lost, or came twice."""
        config, model = self.config, self.model.name
        last = config.environments[-1]
        drift = alarm_pattern(last.account.id, naming.alarm(config, model, last, naming.DRIFT))
        ways: dict[str, dict[str, Any]] = {
            "drift": {"pattern": drift, "bus": naming.event_bus(config)},
            "data": {"pattern": upload_pattern(naming.data_bucket(config, model))},
            "schedule": {"schedule": retraining.schedule, "rule_name": naming.retraining_schedule(config, model)},
        }
        hours = f"rate({retraining.cooldown_hours} hour{'s' if retraining.cooldown_hours > 1 else ''})"
        letters = DeadLetters(
            pipeline,
            "DeadLetters",
            queue_name=naming.dead_letters(config, model),
            about=f"{model}: causes to look at retraining",
            key=self.key,
            topic=sns.Topic.from_topic_arn(pipeline, "Notices", self.approvals),
        )
        again = {"again": {"schedule": hours}}  # what had to wait, and is still there, has no new event
        for cause, way in ({cause: ways[cause] for cause in retraining.on} | again).items():
            EventRule(
                pipeline,
                cause.title(),
                description=f"{model}: has the retraining controller look ({cause})",
                target=self.format_arn(service="codepipeline", resource=pipeline.ref),
                action="codepipeline:StartPipelineExecution",
                dead_letters=letters,
                **way,
            )


class PlatformDelivery(Delivery):
    """The road of the infrastructure, and what gives a new model its own."""

    def __init__(self, scope: Construct, name: str, *, config: Config, models: Sequence[ModelSpec]) -> None:
        super().__init__(scope, name, config=config)
        redeploys = {naming.stage(e): permissions.redeploy(self, config, e) for e in config.environments}
        updates = permissions.cdk(self, config, config.toolchain)
        self.place("Platform", platform_road(config, models), {naming.CHECK: [], naming.UPDATE: updates, **redeploys})
        self.place("Onboarding", onboarding_road(config), {naming.ONBOARD: permissions.onboard(self, config)})
        if config.pull_requests:
            self._check_pull_requests()

    def _check_pull_requests(self) -> None:
        scope, job = Construct(self, "PullRequests"), pull_request_check()
        source, location = layout.source(self.config.repository)
        PullRequestCheck(
            scope,
            "Check",
            project_name=naming.pull_request_project(self.config),
            source=source,
            location=location,
            branch=self.config.repository.branch,
            connection=self.connection,
            buildspec=job.buildspec(),
            log_group=logs.LogGroup(scope, "Log", retention=logs.RetentionDays.ONE_YEAR, removal_policy=RemovalPolicy.DESTROY),
            compute=job.compute,
            reach=self.reach,
            timeout_minutes=job.timeout_minutes,
        )
