"""A SageMaker pipeline that a stack holds: its definition, the role that runs it, and what starts it by the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.service_role import ServiceRole

JOBS = "pipelines-*"  # SageMaker Pipelines names a job pipelines-<execution>-<step>-<suffix>
VERBS = ("Create", "Describe", "Stop")


class JobPipeline(Construct):
    """Starts by `schedule`, EventBridge's words, as long as `state` is ENABLED; without one, by whoever may start it. A start that fails
    goes to `dead_letters`. Its jobs, of the `kinds` that SageMaker has, run on disks that `key` encrypts, and the processing jobs as
    `job_role` (an ARN).
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        pipeline_name: str,
        description: str,
        definition: Mapping[str, Any],
        job_role: str,
        key: str,
        schedule: str | None,
        state: str = "ENABLED",
        dead_letters: DeadLetters,
        kinds: Sequence[str] = ("processing",),
    ) -> None:
        super().__init__(scope, name)
        stack = Stack.of(self)
        calls = [f"{verb}{kind.title()}Job" for kind in kinds for verb in VERBS]
        role = ServiceRole(
            self,
            "Role",
            service="sagemaker.amazonaws.com",
            description=f"Runs the pipeline {pipeline_name}",
            statements=[
                iam.PolicyStatement(
                    actions=[f"sagemaker:{action}" for action in ("AddTags", *calls)],
                    resources=[stack.format_arn(service="sagemaker", resource=f"{kind}-job", resource_name=JOBS) for kind in kinds],
                ),
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[job_role],
                    conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
                ),
                iam.PolicyStatement(actions=["kms:DescribeKey"], resources=[key]),
                iam.PolicyStatement(  # the jobs' disks
                    actions=["kms:CreateGrant"], resources=[key], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}
                ),
            ],
        )
        pipeline = sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=pipeline_name,
            pipeline_description=description,
            pipeline_definition={"PipelineDefinitionBody": json.dumps(definition, sort_keys=True)},
            role_arn=role.role_arn,
        )
        self.arn = stack.format_arn(service="sagemaker", resource="pipeline", resource_name=pipeline.ref)
        if schedule is None:
            return
        starter = ServiceRole(
            self,
            "Starter",
            service="scheduler.amazonaws.com",
            description=f"Starts the pipeline {pipeline_name}",
            statements=[
                iam.PolicyStatement(actions=["sagemaker:StartPipelineExecution"], resources=[self.arn]),
                *dead_letters.for_schedules(),
            ],
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=pipeline_name,
            description=description,
            schedule_expression=schedule,
            flexible_time_window={"mode": "OFF"},
            state=state,
            target={
                "arn": self.arn,
                "roleArn": starter.role_arn,
                "retryPolicy": {"maximumRetryAttempts": 5, "maximumEventAgeInSeconds": 3600},
                "deadLetterConfig": dead_letters.config,
            },
        )
