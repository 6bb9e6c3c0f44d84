"""The roles that jobs, models and pipelines run with."""

from __future__ import annotations

from moto.core.exceptions import ServiceException

from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid
from localcloud.iam import policies

SERVICE = "sagemaker.amazonaws.com"


def assumable(role_arn: str | None) -> str:
    """The role, if SageMaker may assume it. Raises an AWS error otherwise."""
    if not role_arn:
        raise invalid("an execution role is needed")
    try:
        trusted = policies.role_trusts(role_arn, caller=SERVICE)
    except ServiceException as problem:
        raise invalid(f"Could not assume role {role_arn}: {problem.message}") from problem
    if not trusted:
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal '{SERVICE}' to assume the role."
        )
    return role_arn


def credentials(role_arn: str, region: str, *, isolated: bool) -> dict[str, str]:
    """The AWS variables of a container that runs as the role; an isolated one has no credentials."""
    env = cloud().role_env(role_arn, "SageMaker", region)
    return {k: v for k, v in env.items() if k in ("AWS_REGION", "AWS_DEFAULT_REGION")} if isolated else env
