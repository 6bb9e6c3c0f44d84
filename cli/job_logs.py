"""The log groups that SageMaker makes for jobs, one of each kind for a whole account: they keep everything unless told otherwise."""

from __future__ import annotations

import boto3
from botocore.exceptions import ClientError

GROUPS = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs")


def keep(session: boto3.Session, days: int) -> list[str]:
    """Make the groups where they are not there yet, and have them keep `days` days where nobody has said how many; the groups changed.

    No stack can own them: they have one name in an account, and jobs of others write there too.
    """
    logs = session.client("logs")
    changed = []
    for group in GROUPS:
        try:
            logs.create_log_group(logGroupName=group)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
        known = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not any(each.get("retentionInDays") for each in known if each["logGroupName"] == group):
            logs.put_retention_policy(logGroupName=group, retentionInDays=days)
            changed.append(group)
    return changed
