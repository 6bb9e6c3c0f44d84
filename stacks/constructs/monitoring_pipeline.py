"""A SageMaker pipeline that runs by the clock: its definition, the role that runs it, and what starts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.service_role import ServiceRole

JOBS = "pipelines-*"  # SageMaker Pipelines names a job pipelines-<execution>-<step>-<suffix>


class MonitoringPipeline(Construct):
    """Starts every `hours`, as long as `state` is ENABLED; a start that fails goes to `dead_letters`. Its processing jobs run as `job_role`
    (an ARN), on disks that `key` encrypts.
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
        hours: int,
        state: str,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(scope, name)
        stack = Stack.of(self)
        jobs = stack.format_arn(service="sagemaker", resource="processing-job", resource_name=JOBS)
        role = ServiceRole(
            self,
            "Role",
            service="sagemaker.amazonaws.com",
            description=f"Runs the pipeline {pipeline_name}",
            statements=[
                iam.PolicyStatement(
                    actions=[f"sagemaker:{action}" for action in ("AddTags", *(f"{verb}ProcessingJob" for verb in VERBS))], resources=[jobs]
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
        arn = stack.format_arn(service="sagemaker", resource="pipeline", resource_name=pipeline.ref)
        starter = ServiceRole(
            self,
            "Starter",
            service="scheduler.amazonaws.com",
            description=f"Starts the pipeline {pipeline_name}",
            statements=[iam.PolicyStatement(actions=["sagemaker:StartPipelineExecution"], resources=[arn]), *dead_letters.for_schedules()],
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=pipeline_name,
            description=description,
            schedule_expression=f"rate({hours} hour{'s' if hours > 1 else ''})",
            flexible_time_window={"mode": "OFF"},
            state=state,
            target={
                "arn": arn,
                "roleArn": starter.role_arn,
                "retryPolicy": {"maximumRetryAttempts": 5, "maximumEventAgeInSeconds": 3600},
                "deadLetterConfig": dead_letters.config,
            },
        )


VERBS = ("Create", "Describe", "Stop")
