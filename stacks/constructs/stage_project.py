"""A CodeBuild project that runs one stage's commands, and may do what that stage needs and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.build_reach import BuildReach
from stacks.constructs.service_role import ServiceRole


class StageProject(Construct):
    """`project` runs as a role of its own, named like the project. `privileged` lets it build images; `compute` is a size of machine as
    CodeBuild's ComputeType has them, such as `MEDIUM`; `reach` is what it may reach.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        project_name: str,
        buildspec: Mapping[str, object],
        statements: Sequence[iam.PolicyStatement],
        key: kms.IKey,
        log_group: logs.ILogGroup,
        reach: BuildReach,
        privileged: bool,
        compute: str,
        timeout_minutes: int,
    ) -> None:
        super().__init__(scope, name)
        write_logs = iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn])
        role = ServiceRole(
            self,
            "Role",
            role_name=project_name,
            service="codebuild.amazonaws.com",
            description=f"What the stage {project_name} may do",
            statements=[write_logs, *reach.statements(Stack.of(self)), *statements],
        )
        self.project = codebuild.PipelineProject(
            self,
            "Project",
            project_name=project_name,
            build_spec=codebuild.BuildSpec.from_object(dict(buildspec)),
            role=role.without_policy_updates(),
            encryption_key=key,
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.STANDARD_7_0, compute_type=codebuild.ComputeType[compute], privileged=privileged
            ),
            environment_variables=reach.environment_variables,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group, prefix=project_name)),
            timeout=Duration.minutes(timeout_minutes),
        )
        project = self.project.node.default_child
        assert isinstance(project, codebuild.CfnProject)
        project.vpc_config = reach.vpc_config
