"""Who is refused right after a deployment may be let in a moment later.

A change of a role or policy is in force everywhere only after a while ("Troubleshoot IAM" in its user guide), and so is one of a key's
policy, for which AWS advises clients that try again ("AWS KMS eventual consistency" in its developer guide).
"""

from __future__ import annotations

import logging
from typing import Any

import boto3

REFUSED = ("AccessDenied", "AccessDeniedException", "403")
DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before each new attempt; after the last one a refusal stands
log = logging.getLogger(__name__)


def patient(session: boto3.Session) -> boto3.Session:
    """The session, whose clients ask again for a minute where they are refused."""
    delay: Any = _delay  # botocore's stubs know of no handler that answers
    session.events.register("needs-retry", delay)
    return session


def _delay(response: tuple[Any, dict[str, Any]] | None, attempts: int, operation: Any, **_: Any) -> float | None:
    """When botocore is to ask again, in seconds; None where the answer stands."""
    code = response[1].get("Error", {}).get("Code") if response else None
    if code not in REFUSED or attempts > len(DELAYS):
        return None
    delay = DELAYS[attempts - 1]
    log.info("%s: %s: asked again in %g s, as a change of IAM takes a while", operation.name, code, delay)
    return delay
