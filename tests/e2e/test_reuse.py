"""A push that changes a word: nothing is trained, and it comes to production with evidence of its own that says what goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
STAGING, PRODUCTION = CONFIG.environments


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A clone whose model says nothing of reuse, and whose endpoints nobody asks."""
    unasked = (f"model_code/{MODEL}/model.toml", "bake_minutes = 10 }", "bake_minutes = 10, minimum_requests = 0 }")
    with Fork.up(tmp_path_factory.mktemp("fork"), edit=unasked, reuse=True) as made:
        yield made


def package(fork: Fork, execution: str) -> str:
    return str(fork.actions(execution)["Train"]["output"]["outputVariables"]["MODEL_PACKAGE_ARN"])


def described(fork: Fork, arn: str) -> dict[str, Any]:
    return dict(fork.client("sagemaker").describe_model_package(ModelPackageName=arn))


def trainings(fork: Fork) -> int:
    return len(fork.client("sagemaker").list_training_jobs(MaxResults=100)["TrainingJobSummaries"])


@pytest.mark.aws("a push that changes nothing which training depends on")
def test_a_word_about_a_model_trains_nothing(fork: Fork) -> None:
    commit, execution = fork.push("the first version")
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    first = package(fork, execution)
    fork.road("approve", MODEL, "--execution", execution, "--reason", "the numbers are fine", "--yes")
    fork.wait(execution, "Production", "Succeeded")
    trained = trainings(fork)
    (fork.home / "model_code" / MODEL / "README.md").write_text("Whom to call first.\n")
    later, execution = fork.push("say what it is for")
    fork.wait(execution, "Approval", "InProgress")
    second = package(fork, execution)
    was, now = described(fork, first), described(fork, second)

    assert trained == trainings(fork) == 1
    assert now["InferenceSpecification"]["Containers"][0]["Image"] == was["InferenceSpecification"]["Containers"][0]["Image"]
    assert now["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == was["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert (now["CustomerMetadataProperties"]["trained_as"], now["CustomerMetadataProperties"]["commit"]) == (first, later)
    assert fork.served(STAGING)["Image"] == now["InferenceSpecification"]["Containers"][0]["Image"]
    assert f"nothing was trained: version 1, of commit {commit[:8]}, goes on" in fork.road("status", MODEL).stdout

    fork.road("approve", MODEL, "--execution", execution, "--reason", "only a word", "--yes")
    fork.wait(execution, "Production", "Succeeded")
    told = json.loads(fork.road("evidence", MODEL, "--verify", "--json").stdout)
    served = json.loads(fork.road("audit", MODEL, "--json").stdout)

    assert fork.served(PRODUCTION)["ModelPackageName"] == told["model_package_arn"] == second
    assert (told["commit"]["id"], told["evaluation"]["commit"]) == (later, commit)
    assert told["reuse"] == {"model_package_arn": first, "commit": commit, "inputs_sha256": told["training"]["inputs_sha256"]}
    assert [check["what"] for check in told["checks"] if not check["matches"]] == []
    assert {entry["model_package_arn"]: entry["reason"] for entry in served} == {first: "the numbers are fine", second: "only a word"}
    assert re.search("only a word", described(fork, second)["ApprovalDescription"])
    assert "only a word" not in described(fork, first)["ApprovalDescription"]


@pytest.mark.aws("a push that changes nothing which training depends on")
def test_a_change_of_what_it_learns_trains_again(fork: Fork) -> None:
    trained = trainings(fork)
    fork.edit(f"model_code/{MODEL}/model.toml", "eta = 0.1\n", "eta = 0.11\n")
    _, execution = fork.push("learn a little faster")
    fork.wait(execution, "Staging", "InProgress", "Succeeded")

    assert trainings(fork) == trained + 1
    assert "trained_as" not in described(fork, package(fork, execution))["CustomerMetadataProperties"]
