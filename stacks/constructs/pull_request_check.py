"""A CodeBuild project that checks pull requests and tells them how it went. Who opens one has its code run: so it may do nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.build_reach import BuildReach
from stacks.constructs.service_role import ServiceRole

EVENTS = ("PULL_REQUEST_CREATED", "PULL_REQUEST_UPDATED", "PULL_REQUEST_REOPENED")
UNKNOWN = {
    "BITBUCKET": {"PULL_REQUEST_REOPENED"}
}  # to a source (CodeBuild's guide, "Bitbucket webhook events"), where a pull request once declined stays so


class PullRequestCheck(Construct):
    """Runs `buildspec` on every pull request against `branch`. `source` is CodeBuild's name of its host, `location` its URL."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        project_name: str,
        source: str,
        location: str,
        branch: str,
        connection: str,
        buildspec: Mapping[str, object],
        log_group: logs.ILogGroup,
        compute: str,
        reach: BuildReach,
        timeout_minutes: int,
    ) -> None:
        super().__init__(scope, name)
        events = ",".join(event for event in EVENTS if event not in UNKNOWN.get(source, ()))
        use = ["codeconnections:GetConnection", "codeconnections:GetConnectionToken", "codeconnections:UseConnection"]
        role = ServiceRole(
            self,
            "Role",
            role_name=project_name,
            service="codebuild.amazonaws.com",
            description=f"What {project_name} may do: write its log, and fetch the source",
            statements=[
                iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]),
                iam.PolicyStatement(actions=use, resources=[connection]),
                *reach.statements(Stack.of(self)),
            ],
        )
        codebuild.CfnProject(
            self,
            "Project",
            name=project_name,
            service_role=role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type=source,
                location=location,
                auth=codebuild.CfnProject.SourceAuthProperty(type="CODECONNECTIONS", resource=connection),
                build_spec=codebuild.BuildSpec.from_object(dict(buildspec)).to_build_spec(),
                report_build_status=True,
                git_clone_depth=1,
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type=f"BUILD_GENERAL1_{compute}",
                image="aws/codebuild/standard:7.0",
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(name=name, value=value) for name, value in reach.variables.items()
                ],
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=log_group.log_group_name, stream_name=project_name
                )
            ),
            timeout_in_minutes=timeout_minutes,
            vpc_config=reach.vpc_config,
            triggers=codebuild.CfnProject.ProjectTriggersProperty(
                webhook=True,
                filter_groups=[
                    [
                        codebuild.CfnProject.WebhookFilterProperty(type="EVENT", pattern=events),
                        codebuild.CfnProject.WebhookFilterProperty(type="BASE_REF", pattern=f"^refs/heads/{branch}$"),
                    ]
                ],
            ),
        )
