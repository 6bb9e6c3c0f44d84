"""Running a training pipeline once for a delivery, whatever interrupts the step."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from pipelines.deployment.errors import DeploymentError, Unfinished
from pipelines.deployment.pace import Pace
from pipelines.deployment.training_run import outcome, start, wait, write
from pipelines.waiting import LONGEST_ACTION, LONGEST_WAIT
from tests.support import sample
from tests.support.fakes import AT_ONCE, Clock, Fake, archive, refusal
from tests.support.moto_server import Clients

EXECUTION = "11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::123456789012:role/training"
ARN = f"arn:aws:sagemaker:{sample.HOME.region}:{sample.HOME.id}:pipeline/p/execution/abcdefghijkl"
PACKAGE = f"{sample.ARN}/3"
NO_S3 = Fake()  # fails the test that asks it


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


def test_a_run_is_of_the_definition_that_was_written_for_it() -> None:
    taken = refusal("ValidationException", "Pipeline names must be unique: Pipeline with name (p) already exists.")

    def create_pipeline(**_: Any) -> None:
        raise taken

    written = Fake(create_pipeline=create_pipeline, update_pipeline=lambda **_: {"PipelineArn": "arn", "PipelineVersionId": 7})
    sagemaker = listing()

    _, second = (write(written, pipeline="p", definition=definition(version), role=ROLE) for version in (6, 7))
    start(sagemaker, pipeline="p", execution=EXECUTION, version=second)

    assert [request["PipelineVersionId"] for request in sagemaker.asked("start_pipeline_execution")] == [7]
    tokens = [request["ClientRequestToken"] for request in written.asked("create_pipeline")]
    assert len(set(tokens)) == 2, "the same token would be the first creation, repeated"


def test_a_run_in_progress_is_taken_up() -> None:
    assert start(listing("Failed", "Executing"), pipeline="p", execution=EXECUTION) == f"{ARN}1"


def test_another_deliverys_run_is_none_of_ours() -> None:
    sagemaker = listing("Executing", name="another")

    assert start(sagemaker, pipeline="p", execution=EXECUTION) == ARN


def test_waiting_tells_of_each_step_once_and_gives_the_package(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    registered = step("Register", "Succeeded", Metadata={"RegisterModel": {"Arn": PACKAGE}})
    run = running(
        ("Executing", [step("Train", "Executing")]),
        ("Executing", [step("Train", "Executing")]),
        ("Succeeded", [step("Train", "Succeeded"), registered]),
    )

    assert wait(run, NO_S3, ARN, AT_ONCE) == PACKAGE
    assert caplog.messages == ["Train: Executing", "Train: Succeeded", "Register: Succeeded"]


MODEL = "s3://artifacts/runs/abcdefghijkl/train/pipelines-x/output/model.tar.gz"
REFUSAL = f"lead_scoring: gates failed: 2.0; nothing was registered; evaluation.json in {MODEL} has the verdicts, and the log lists them"


def verdict(gate: str, subject: str, *, passed: bool | None, found: float, threshold: float) -> dict[str, Any]:
    judged = {"gate": gate, "subject": subject, "passed": passed, "found": found, "comparison": ">=", "threshold": threshold}
    return {**judged, "advice": "train on better data"}


def evaluated(*gates: dict[str, Any], **changes: Any) -> Fake:
    """An S3 with what evaluation left in the model's archive."""
    evaluation = {**sample.content()["evaluation"], "gates": list(gates), "gates_failed": len(gates), **changes}
    return Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(evaluation=evaluation))})


def refused(s3: Any, said: str = REFUSAL, **rest: Any) -> str:
    """What the step says of a run that the gates refused."""
    run = running(("Failed", [step("Train", "Succeeded"), step("Refuse", "Failed", Metadata={"Fail": {"ErrorMessage": said}}, **rest)]))
    with pytest.raises(DeploymentError) as caught:
        wait(run, s3, ARN, AT_ONCE)
    return str(caught.value)


def test_gates_that_refused_say_each_by_how_much() -> None:
    s3 = evaluated(
        verdict("floor", "roc_auc", passed=False, found=0.71, threshold=0.79),
        verdict("calibration", "calibration_error", passed=True, found=0.02, threshold=0.1),
        verdict("slices", "job: student", passed=None, found=0.4, threshold=0.5),
        verdict("champion", "roc_auc", passed=False, found=-0.02, threshold=-0.01),
    )

    assert refused(s3, FailureReason=REFUSAL) == (
        "2 gates failed: floor: roc_auc: found 0.71, accepted is >= 0.79: train on better data;"
        " champion: roc_auc: found -0.02, accepted is >= -0.01: train on better data: correct the model, the data or the gate, and push"
    )
    assert s3.asked("get_object") == [{"Bucket": "artifacts", "Key": MODEL.removeprefix("s3://artifacts/")}]


def missing(**_: Any) -> None:
    raise refusal("NoSuchKey", "The specified key does not exist.")


@pytest.mark.parametrize("s3", [Fake(get_object=missing), Fake(get_object=lambda **_: {"Body": io.BytesIO(b"no archive")})])
def test_verdicts_that_cannot_be_read_leave_the_refusal(s3: Fake) -> None:
    assert refused(s3).startswith(REFUSAL)


def test_verdicts_of_an_unknown_form_leave_the_refusal_and_say_so() -> None:
    assert "evaluation.json: color: found 'red'" in refused(evaluated(color="red"))
    assert "evaluation.json: (whole file)" in refused(Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(metadata={}))}))


def test_a_refusal_that_names_no_model_is_given_as_it_is() -> None:
    assert refused(NO_S3, "too low") == "too low: correct the model, the data or the gate, and push"


def test_a_broken_data_contract_is_told_in_the_jobs_own_words() -> None:
    said = "AlgorithmError: prepare: column 'age': range: found 999, allowed 18 to 100 (3 rows), exit code: 1"
    run = running(("Failed", [step("Train", "Failed", FailureReason=said)]))

    with pytest.raises(DeploymentError, match="step Train failed: AlgorithmError: prepare: column 'age': range: found 999"):
        wait(run, NO_S3, ARN, AT_ONCE)


def test_a_run_that_a_person_stopped() -> None:
    with pytest.raises(DeploymentError, match="Stopped: someone pressed stop: retry the stage"):
        wait(running(("Stopped", [step("Train", "Stopped")])), NO_S3, ARN, AT_ONCE)


def test_a_run_that_registered_nothing() -> None:
    with pytest.raises(DeploymentError, match="succeeded but registered nothing"):
        wait(running(("Succeeded", [step("Train", "Succeeded")])), NO_S3, ARN, AT_ONCE)


def test_a_run_that_goes_on_is_left_to_who_waits_next(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    clock = Clock()

    assert outcome(running(("Executing", [])), NO_S3, ARN, Pace(poll_seconds=60, clock=clock), waits_after=2) is None
    assert 60 * LONGEST_WAIT <= clock.monotonic() < 60 * LONGEST_ACTION
    assert caplog.messages[-1] == f"{ARN}: not finished after 450 minutes: the stage's next action waits on (2 left)"


def test_the_last_who_waits_says_what_to_do() -> None:
    with pytest.raises(Unfinished, match="not finished after 450 minutes: see its console page, then retry the stage"):
        outcome(running(("Executing", [])), NO_S3, ARN, Pace(poll_seconds=60, clock=Clock()), waits_after=0)


@pytest.mark.parametrize("waits_after", [0, 5])
def test_a_run_that_has_ended_leaves_nobody_to_wait(waits_after: int) -> None:
    registered = running(("Succeeded", [step("Register", "Succeeded", Metadata={"RegisterModel": {"Arn": PACKAGE}})]))

    assert outcome(registered, NO_S3, ARN, AT_ONCE, waits_after=waits_after) == PACKAGE
    with pytest.raises(DeploymentError, match="retry the stage"):
        outcome(running(("Stopped", [])), NO_S3, ARN, AT_ONCE, waits_after=waits_after)
