"""Running a training pipeline once for a delivery, whatever interrupts the step."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.steps.step import StepError
from pipelines.steps.train import start, wait, write
from tests.pipelines.steps.conftest import Clients
from tests.pipelines.steps.fakes import Fake

EXECUTION = "11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::123456789012:role/training"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p/execution/abcdefghijkl"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/g/3"


def definition(version: int) -> str:
    return json.dumps({"Version": "2020-12-01", "Metadata": {"Version": version}, "Parameters": [], "Steps": []})


def listing(*statuses: str, name: str = EXECUTION) -> Fake:
    runs = [
        {"PipelineExecutionArn": f"{ARN}{number}", "PipelineExecutionStatus": status, "PipelineExecutionDisplayName": name}
        for number, status in enumerate(statuses)
    ]
    return Fake(
        list_pipeline_executions=lambda **_: {"PipelineExecutionSummaries": runs},
        start_pipeline_execution=lambda **_: {"PipelineExecutionArn": ARN},
    )


def running(*polls: tuple[str, list[dict[str, Any]]]) -> Fake:
    """A run that looks like each of `polls` in turn, and then like the last."""
    left = list(polls)

    def status(**_: Any) -> dict[str, Any]:
        return {"PipelineExecutionStatus": left[0][0], "FailureReason": "someone pressed stop"}

    def steps(**_: Any) -> dict[str, Any]:
        return {"PipelineExecutionSteps": (left.pop(0) if len(left) > 1 else left[0])[1]}

    return Fake(describe_pipeline_execution=status, list_pipeline_execution_steps=steps)


def step(name: str, status: str, **rest: Any) -> dict[str, Any]:
    return {"StepName": name, "StepStatus": status, **rest}


def test_the_pipeline_is_created_and_then_given_each_definition(client: Clients) -> None:
    sagemaker = client("sagemaker")
    for version in (1, 2):
        write(sagemaker, pipeline="p", definition=definition(version), role=ROLE)
        assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == definition(version)


def test_a_run_is_named_after_the_delivery_and_found_again(client: Clients) -> None:
    sagemaker = client("sagemaker")
    write(sagemaker, pipeline="p", definition=definition(1), role=ROLE)
    first = start(sagemaker, pipeline="p", execution=EXECUTION)

    assert start(sagemaker, pipeline="p", execution=EXECUTION) == first
    assert start(sagemaker, pipeline="p", execution=EXECUTION.replace("1", "9")) != first


def test_a_run_that_failed_is_not_taken_up_again() -> None:
    sagemaker = listing("Failed", "Stopped")

    assert start(sagemaker, pipeline="p", execution=EXECUTION) == ARN
    (started,) = sagemaker.asked("start_pipeline_execution")
    assert started["ClientRequestToken"] == f"{EXECUTION}-2"


def test_a_run_in_progress_is_taken_up() -> None:
    assert start(listing("Failed", "Executing"), pipeline="p", execution=EXECUTION) == f"{ARN}1"


def test_another_deliverys_run_is_none_of_ours() -> None:
    sagemaker = listing("Executing", name="another")

    assert start(sagemaker, pipeline="p", execution=EXECUTION) == ARN


def test_waiting_tells_of_each_step_once_and_gives_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    registered = step("Register", "Succeeded", Metadata={"RegisterModel": {"Arn": PACKAGE}})
    run = running(
        ("Executing", [step("Train", "Executing")]),
        ("Executing", [step("Train", "Executing")]),
        ("Succeeded", [step("Train", "Succeeded"), registered]),
    )

    assert wait(run, ARN, poll_seconds=0) == PACKAGE
    assert capsys.readouterr().err.splitlines() == ["Train: Executing", "Train: Succeeded", "Register: Succeeded"]


def test_a_gate_that_refused_says_by_how_much() -> None:
    said = "roc_auc is 0.71, under the gate's 0.79 in model_code/lead_scoring/model.toml: nothing was registered"
    run = running(("Failed", [step("Train", "Succeeded"), step("Refuse", "Failed", FailureReason=said)]))

    with pytest.raises(StepError, match=r"step Refuse failed: roc_auc is 0\.71, under the gate's 0\.79"):
        wait(run, ARN, poll_seconds=0)


def test_a_fail_step_that_gives_its_reason_in_metadata_only() -> None:
    run = running(("Failed", [step("Refuse", "Failed", Metadata={"Fail": {"ErrorMessage": "too low"}})]))

    with pytest.raises(StepError, match="step Refuse failed: too low"):
        wait(run, ARN, poll_seconds=0)


def test_a_run_that_a_person_stopped() -> None:
    with pytest.raises(StepError, match="Stopped: someone pressed stop: retry the stage"):
        wait(running(("Stopped", [step("Train", "Stopped")])), ARN, poll_seconds=0)


def test_a_run_that_registered_nothing() -> None:
    with pytest.raises(StepError, match="succeeded but registered nothing"):
        wait(running(("Succeeded", [step("Train", "Succeeded")])), ARN, poll_seconds=0)
