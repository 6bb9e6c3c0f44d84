"""Sessions of roles: how long one may be asked for, and that it ends.

By "AssumeRole" in STS's API reference. They last as long as on AWS and not shorter by the cloud's speed, as the programs that hold them are
not faster here either. What AWS's own agents give to a build, a job or an endpoint they renew: that does not end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.exceptions import AuthFailureError
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.s3.exceptions import S3ClientError
from moto.sts.exceptions import STSValidationError
from moto.sts.models import AssumedRole, sts_backends
from moto.sts.responses import TokenResponse

from localcloud.core.cloud import PARTITION, cloud
from localcloud.core.errors import error
from localcloud.iam import callers

LONGEST_OF_A_CHAIN = 3600  # seconds of a session that a session asked for
WORDS = "The security token included in the request is expired"
_assume = TokenResponse.assume_role


class ExpiredToken(AuthFailureError):
    """The error of services that speak XML."""

    code = 403

    def __init__(self) -> None:
        super(AuthFailureError, self).__init__("ExpiredToken", WORDS)


def install() -> None:
    """Answer AssumeRole."""
    TokenResponse.assume_role = assume_role  # type: ignore[method-assign]


def assume_role(self: Any) -> Any:
    arn, seconds = self._get_param("RoleArn"), self._get_int_param("DurationSeconds", 3600)
    longest = [r.max_session_duration or 3600 for r in iam_backends[arn.split(":")[4]][PARTITION].roles.values() if r.arn == arn]
    if any(seconds > most for most in longest):
        raise STSValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if seconds > LONGEST_OF_A_CHAIN and ":role/" in callers.of(self):
        raise STSValidationError("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
    answer: Any = _assume(self)
    assumed: AssumedRole = answer.result["Credentials"]
    assumed.expiration = min(assumed.expiration, utcnow() + timedelta(seconds=cloud().longest_session))
    return answer


def require_valid(response: Any) -> None:
    """Raise AWS's error where the session of a request, as moto's `response` object received it, has ended."""
    key, account = response.get_access_key(), response.current_account
    held = next((role for role in sts_backends[account][response.partition].assumed_roles if role.access_key_id == key), None)
    if held is None or held.access_key_id in cloud().renewed or held.expiration > utcnow():
        return
    if "json" in response.headers.get("Content-Type", ""):
        raise error("ExpiredTokenException", WORDS)
    raise S3ClientError("ExpiredToken", "The provided token has expired.") if response.service_name == "s3" else ExpiredToken()
