"""A quota that stops the road is named, with the value that would do."""

from __future__ import annotations

import pytest
from moto.core.exceptions import JsonRESTError

from localcloud.sagemaker import quotas
from localcloud.testing.in_process import Aws
from pipelines.deployment.quota import advice


@pytest.mark.parametrize(
    ("usage", "beside"),
    [(quotas.ENDPOINT, ", as an endpoint has old and new instances side by side while it is updated"), (quotas.TRAINING, "")],
)
def test_it_says_which_one_and_to_what(aws: Aws, usage: str, beside: str) -> None:
    """As SageMaker says it, and localcloud after it."""
    quota = f"ml.m5.large for {usage}"
    aws.cloud.quotas[quota] = 3
    with pytest.raises(JsonRESTError) as refusal:
        quotas.require(usage, {"ml.m5.large": 2}, {"ml.m5.large": 2})
    del aws.cloud.quotas[quota]

    assert advice(f"UPDATE_FAILED: {refusal.value.message}") == (
        f"the account may have 3 instances of '{quota}', has 2 and needs 2 more{beside}: have Service Quotas raise it to at least 4"
    )


def test_other_failures_are_left_alone() -> None:
    assert advice("The container for production variant live did not pass the ping health check") == ""
