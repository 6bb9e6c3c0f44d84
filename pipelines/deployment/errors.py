"""What stops a deployment, as a sentence for a person."""

from __future__ import annotations

from botocore.exceptions import ClientError


class DeploymentError(Exception):
    """A failure, told as `what failed: why: what to do`."""


class Unfinished(DeploymentError):
    """What is waited for goes on, but who waits has no more time. `what` says so, without what to do."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what}: {do}")
        self.what = what


def code(error: ClientError) -> str:
    """An AWS error's code, such as `ValidationException`."""
    return str(error.response["Error"]["Code"])
