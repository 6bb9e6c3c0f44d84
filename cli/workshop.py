"""What a model's workshop tells of itself: its facts, kept as SSM parameters in the toolchain's account."""

from __future__ import annotations

from cli.problem import Problem
from cli.target import Target
from config import CONFIG
from pipelines.evidence.signature import Signer


def fact(aws: Target, model: str, key: str) -> str:
    """One fact, such as `artifacts-bucket`. Raises Problem when the workshop is not deployed, or is too old to have it."""
    ssm, name = aws.client("ssm"), CONFIG.parameter(model, key)
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound as error:
        raise Problem(f"parameter {name}", "there is none: the model's workshop is not deployed", "./road up, or cdk deploy") from error


def artifacts(aws: Target, model: str) -> str:
    """`s3://bucket`, where artifacts, evidence and ledger lie."""
    return f"s3://{fact(aws, model, 'artifacts-bucket')}"


def signer(aws: Target, model: str) -> Signer:
    """The key that signs the model's evidence."""
    return Signer(kms=aws.client("kms"), key=fact(aws, model, "evidence-key"))
