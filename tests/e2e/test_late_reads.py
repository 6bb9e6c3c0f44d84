"""The whole road where AWS shows changes late: roles, policies, keys and rules after a while, and lists without what is new.

InvokeEndpoint refuses an empty body itself here, which AWS's documentation leaves open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.laptop("reads that are late on purpose")]
WORLD = {
    "LOCALCLOUD_READS_LATE": "300",  # seconds of AWS's time: the guide of KMS speaks of minutes
    "LOCALCLOUD_ASSUME": "empty-body-refused",
}
CONTRACT = f"model_code/{MODEL}/model.toml"
PRODUCTION = CONFIG.environments[-1]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    with Fork.up(tmp_path_factory.mktemp("late"), environment=WORLD) as made:
        made.edit(CONTRACT, "bake_minutes = 10 }", "bake_minutes = 10, minimum_requests = 0 }")  # nobody asks here
        yield made


def delivered(fork: Fork, message: str) -> str:
    """Push, approve, and see the version serve in production: its ARN."""
    _, execution = fork.push(message)
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    fork.road("approve", MODEL, "--execution", execution, "--reason", "the numbers are fine", "--yes")
    fork.wait(execution, "Production", "Succeeded")
    return str(fork.actions(execution)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"])


def test_a_model_is_delivered_and_then_asks_for_more_than_its_roles_may(fork: Fork) -> None:
    """Monitoring changes roles, keys and buckets of stacks that stand: what CloudFormation updates is used right after it."""
    whole = (fork.home / CONTRACT).read_text()
    (fork.home / CONTRACT).write_text(whole[: whole.index("[monitoring]")])
    first = delivered(fork, "the first version")
    assert fork.served(PRODUCTION)["ModelPackageName"] == first

    (fork.home / CONTRACT).write_text(whole)
    second = delivered(fork, "the monitored one")

    assert fork.served(PRODUCTION)["ModelPackageName"] == second
    (told,) = json.loads(fork.road("status", MODEL, "--json").stdout)
    assert told["executions"][0]["status"] == "Succeeded"
    stack = naming.monitoring_stack(CONFIG, MODEL, PRODUCTION)
    (monitoring,) = fork.client("cloudformation", PRODUCTION.account).describe_stacks(StackName=stack)["Stacks"]
    assert monitoring["StackStatus"].endswith("_COMPLETE")
