"""Retry policies of a pipeline's steps, as the page "Retry policy for pipeline steps" has them.

From when on ExpireAfterMin counts is not documented: here from the step's first attempt.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from botocore.exceptions import ClientError

from localcloud.core.cloud import cloud

BY_CODE = {"ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT", "ThrottlingException": "Step.THROTTLING"}
BY_REASON = {"InternalServerError": "SageMaker.JOB_INTERNAL_ERROR", "CapacityError": "SageMaker.CAPACITY_ERROR"}
FAULT = "Step.SERVICE_FAULT"


class Retries:
    """What the policies of one step still allow."""

    def __init__(self, policies: list[dict[str, Any]]) -> None:
        self._policies = {kind: policy for policy in policies for kind in policy["ExceptionType"]}
        self._made, self._began = Counter[str](), time.monotonic()

    def wait_after(self, problem: Exception) -> float | None:
        """How many of AWS's seconds to wait before the next attempt; None where there is none."""
        kind = _kind(problem)
        policy = self._policies.get(kind or "")
        if kind is None or policy is None:
            return None
        self._made[kind] += 1
        seconds = float(policy.get("IntervalSeconds", 1) * policy.get("BackoffRate", 2.0) ** (self._made[kind] - 1))
        if "ExpireAfterMin" in policy:
            passed = (time.monotonic() - self._began) * cloud().speed
            return seconds if passed + seconds <= 60 * policy["ExpireAfterMin"] else None
        return seconds if self._made[kind] <= policy.get("MaxAttempts", 1) else None


def _kind(problem: Exception) -> str | None:
    """Which of the pages' kinds of errors this is: of the call that makes a job, or of the job's FailureReason."""
    if isinstance(problem, ClientError):
        fault = problem.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500
        return BY_CODE.get(problem.response["Error"]["Code"]) or (FAULT if fault else None)
    return next((kind for word, kind in BY_REASON.items() if str(problem).startswith(word)), None)
