"""The road of the infrastructure: every environment gets the new stacks, and keeps the model it has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config import CONFIG
from tests.e2e.conftest import MODEL, PIPELINE, Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]
PLATFORM = CONFIG.name("platform")
PRODUCTION = CONFIG.environments[-1]


def subscribers(fork: Fork) -> set[str]:
    """Who gets mail from production's account."""
    listed = fork.client("sns", PRODUCTION.account).list_subscriptions()["Subscriptions"]
    return {s["Endpoint"] for s in listed}


def test_a_change_of_infrastructure_reaches_production_without_training(fork: Fork, edit: Callable[[str, str, str], None]) -> None:
    _, delivery = fork.push("the first version")
    fork.stop(PLATFORM)
    fork.wait(delivery, "Approval", "InProgress")
    fork.road("approve", MODEL, "--reason", "first", "--yes")
    fork.wait(delivery, "Production", "Succeeded")
    before = fork.served(PRODUCTION)
    edit("config.py", 'owners=("ml-platform@example.com",)', 'owners=("ml-platform@example.com", "risk@example.com")')

    _, execution = fork.push("tell the risk officer", PLATFORM)
    fork.wait(execution, "Approval", "InProgress", pipeline=PLATFORM)
    assert "risk@example.com" not in subscribers(fork)
    fork.road("approve", "platform", "--reason", "two eyes", "--yes")
    fork.wait(execution, "Production", "Succeeded", pipeline=PLATFORM)

    assert "risk@example.com" in subscribers(fork)
    assert fork.served(PRODUCTION) == before
    executions = fork.client("codepipeline").list_pipeline_executions(pipelineName=PIPELINE)["pipelineExecutionSummaries"]
    assert [e["pipelineExecutionId"] for e in executions] == [delivery]
