"""Environment variables whose values lie in Secrets Manager or Parameter Store, read as CodeBuild does, with the project's role."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError

from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid

ARN_PARTS = 7  # of a secret's ARN, between colons


def read(kind: str, reference: str, *, role_arn: str, region: str) -> str:
    """The value. `reference` is a parameter's name, or a secret's id or ARN, perhaps with `:json-key:stage:version`.

    Raises an AWS error where there is none, or the role may not read it.
    """
    try:
        return _parameter(reference, role_arn, region) if kind == "PARAMETER_STORE" else _secret(reference, role_arn, region)
    except ClientError as problem:
        service = "Parameter Store" if kind == "PARAMETER_STORE" else "Secrets Manager"
        raise invalid(f"{service} says of {reference}: {problem.response['Error']['Message']}") from None


def _parameter(name: str, role_arn: str, region: str) -> str:
    ssm = cloud().client("ssm", role_arn=role_arn, region=region)
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _secret(reference: str, role_arn: str, region: str) -> str:
    parts = reference.split(":")
    length = ARN_PARTS if reference.startswith("arn:") else 1
    key, stage, version = [*parts[length:], "", "", ""][:3]
    wanted = {"SecretId": ":".join(parts[:length]), "VersionStage": stage, "VersionId": version}
    secrets = cloud().client("secretsmanager", role_arn=role_arn, region=region)
    text = str(secrets.get_secret_value(**{name: value for name, value in wanted.items() if value})["SecretString"])
    return str(json.loads(text)[key]) if key else text
