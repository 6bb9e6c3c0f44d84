"""The road of the infrastructure: every environment gets the new stacks, and keeps the model it has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reference import CONFIG, MODEL
from tests.support.fork import PLATFORM, Fork

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.laptop("hours of real time"),
]
PRODUCTION = CONFIG.environments[-1]
LONG = (  # Check runs the whole suite, which is not this test's to wait for
    *(f"tests/{room}" for room in ("cli", "e2e", "faults", "pipelines", "stacks")),
    *(f"packages/{package}/tests" for package in ("localcloud", "runtime")),
)


def subscribers(fork: Fork) -> set[str]:
    """Who gets mail from production's account."""
    listed = fork.client("sns", PRODUCTION.account).list_subscriptions()["Subscriptions"]
    return {s["Endpoint"] for s in listed}


def test_a_change_of_infrastructure_reaches_production_without_training(fork: Fork, edit: Callable[[str, str, str], None]) -> None:
    _, delivery = fork.push("the first version")
    fork.stop_others()
    fork.wait(delivery, "Approval", "InProgress")
    fork.road("approve", MODEL, "--reason", "first", "--yes")
    fork.wait(delivery, "Production", "Succeeded")
    before = fork.served(PRODUCTION)
    (owner,) = CONFIG.owners
    edit("config.py", f'owners=("{owner}",)', f'owners=("{owner}", "risk@example.com")')
    for suite in LONG:
        for test in (fork.home / suite).rglob("test_*.py"):
            test.unlink()

    _, execution = fork.push("tell the risk officer", PLATFORM)
    fork.wait(execution, "Approval", "InProgress", pipeline=PLATFORM)
    assert "risk@example.com" not in subscribers(fork)
    fork.road("approve", "platform", "--reason", "two eyes", "--yes")
    fork.wait(execution, "Production", "Succeeded", pipeline=PLATFORM)

    assert "risk@example.com" in subscribers(fork)
    assert fork.served(PRODUCTION) == before
    assert [e["pipelineExecutionId"] for e in fork.executions() if e["status"] == "Succeeded"] == [delivery]
