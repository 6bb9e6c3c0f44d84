"""The whole road where AWS shows changes late: roles, policies, keys and rules after a while, and lists without what is new."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
LATE = "300"  # seconds of AWS's time: KMS's guide speaks of minutes
PRODUCTION = CONFIG.environments[-1]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    with Fork.up(tmp_path_factory.mktemp("late"), environment={"LOCALCLOUD_READS_LATE": LATE}) as made:
        yield made


def delivered(fork: Fork, message: str) -> str:
    """Push, approve, and see the version serve in production: its ARN."""
    _, execution = fork.push(message)
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    fork.road("approve", MODEL, "--execution", execution, "--reason", "the numbers are fine", "--yes")
    fork.wait(execution, "Production", "Succeeded")
    return str(fork.actions(execution)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"])


def test_two_versions_reach_production_and_the_first_comes_back(fork: Fork) -> None:
    first = delivered(fork, "the first version")
    assert fork.served(PRODUCTION)["ModelPackageName"] == first

    fork.edit(f"model_code/{MODEL}/model.toml", "eta = 0.1", "eta = 0.11")
    second = delivered(fork, "another version")
    assert fork.served(PRODUCTION)["ModelPackageName"] == second

    fork.road("rollback", MODEL, "--reason", "the first one was better", "--yes")

    assert fork.served(PRODUCTION)["ModelPackageName"] == first
    endpoint = naming.endpoint(CONFIG, MODEL, PRODUCTION)
    assert fork.client("sagemaker", PRODUCTION.account).describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
