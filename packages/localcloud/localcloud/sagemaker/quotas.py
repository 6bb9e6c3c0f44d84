"""How many instances of a type an account may have at once, each use by itself: endpoints, training (on spot
instances and in warm pools, too), processing, batch transform.

A quota has the name that Service Quotas gives it, such as `ml.m5.large for endpoint usage`. AWS sets quotas by account and by region, low
for new accounts, and publishes no table of them. So the defaults are localcloud's own: none of what has an accelerator, nor warm pools (the
Developer Guide says so: "Request a warm pool quota increase"), a few of what is large, and of all others as many as a small endpoint needs
that is updated while it is scaled out. Of requests at a time to serverless endpoints new accounts are told to have 10; here it is 50.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session

from localcloud.core import quotas
from localcloud.core.errors import error

ENDPOINT, TRAINING, PROCESSING, TRANSFORM = "endpoint usage", "training job usage", "processing job usage", "transform job usage"
SPOT = "spot training job usage"
WARM = "training warm pool usage"
CONCURRENCY, REQUESTS = "Maximum total concurrency across all serverless endpoints", 50
TYPES = {
    ENDPOINT: "ProductionVariantInstanceType",
    TRAINING: "TrainingInstanceType",
    SPOT: "TrainingInstanceType",
    WARM: "TrainingInstanceType",
    PROCESSING: "ProcessingInstanceType",
    TRANSFORM: "TransformInstanceType",
}
ACCELERATED = re.compile(r"ml\.(dl|g|inf|p|trn)\d")
SMALL = re.compile(r"\.(medium|large|xlarge|2xlarge)$")
NONE, FEW, SOME = 0, 2, 16


def name(instance_type: str, usage: str) -> str:
    """The quota's name."""
    return f"{instance_type} for {usage}"


@functools.cache
def names() -> tuple[str, ...]:
    """Every quota."""
    service: Any = botocore.session.Session().get_service_model("sagemaker")
    return tuple(sorted([CONCURRENCY, *(name(kind, usage) for usage, shape in TYPES.items() for kind in service.shape_for(shape).enum)]))


def default(quota: str) -> int:
    """A quota's value where nobody has raised it."""
    if quota == CONCURRENCY:
        return REQUESTS
    instance_type, _, usage = quota.partition(" for ")
    if ACCELERATED.match(instance_type) or usage == WARM:
        return NONE
    return SOME if SMALL.search(instance_type) else FEW


def value(quota: str) -> int:
    """A quota's value."""
    return quotas.value(quota, default(quota))


def require(usage: str, used: Mapping[str, int], wanted: Mapping[str, int]) -> None:
    """Raise SageMaker's error where `wanted` more instances, by their types, are too many beside those that are `used`."""
    for instance_type, delta in _positive(wanted):
        limit, current = value(quota := name(instance_type, usage)), used.get(instance_type, 0)
        if current + delta > limit:
            raise error(
                "ResourceLimitExceeded",
                f"The account-level service limit '{quota}' is {limit} Instances, with current utilization of {current} Instances and a"
                f" request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for this quota.",
            )


def require_concurrency(used: int, wanted: int) -> None:
    """Raise SageMaker's error where so many requests at a time are too many for serverless endpoints beside those that are `used`."""
    limit = value(CONCURRENCY)
    if wanted and used + wanted > limit:
        raise error(
            "ResourceLimitExceeded",
            f"The account-level service limit '{CONCURRENCY}' is {limit} None, with current utilization of {used} None and a request delta"
            f" of {wanted} None. Please use AWS Service Quotas to request an increase for this quota.",
        )


def _positive(wanted: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    yield from ((kind, delta) for kind, delta in sorted(wanted.items()) if delta > 0)
