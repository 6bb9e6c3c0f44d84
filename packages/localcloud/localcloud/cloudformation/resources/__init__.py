"""The resource types that moto lacks, or makes or updates incompletely: a file a service.

A file has TYPES, each of them the API calls that CloudFormation itself would make, and an `install` where it completes types of moto's.
"""

from __future__ import annotations

from localcloud.cloudformation import resource_type
from localcloud.cloudformation.resources import (
    applicationautoscaling,
    budgets,
    cloudwatch,
    codebuild,
    codeconnections,
    codepipeline,
    ec2,
    ecr,
    events,
    iam,
    kms,
    logs,
    s3,
    sagemaker,
    scheduler,
    secretsmanager,
    sns,
    sqs,
)

TYPES = (
    *applicationautoscaling.TYPES,
    *budgets.TYPES,
    *cloudwatch.TYPES,
    *codebuild.TYPES,
    *codeconnections.TYPES,
    *codepipeline.TYPES,
    *ec2.TYPES,
    *ecr.TYPES,
    *events.TYPES,
    *logs.TYPES,
    *s3.TYPES,
    *sagemaker.TYPES,
    *scheduler.TYPES,
    *secretsmanager.TYPES,
    *sns.TYPES,
    *sqs.TYPES,
)


def install() -> None:
    """Make these types known to moto's template parser, and complete moto's own."""
    resource_type.install(TYPES)
    for completed in (ecr, iam, kms, logs, s3):
        completed.install()
