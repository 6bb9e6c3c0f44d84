"""What stops a deployment, as a sentence for a person."""

from __future__ import annotations

from botocore.exceptions import ClientError


class DeploymentError(Exception):
    """A failure, told as `what failed: why: what to do`."""


def code(error: ClientError) -> str:
    """An AWS error's code, such as `ValidationException`."""
    return str(error.response["Error"]["Code"])
