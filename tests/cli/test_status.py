"""A stage that failed because its version was rolled back: the reason is told, wherever it is known."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from cli import executions, status
from cli.executions import Execution
from cli.retrainings import Retrainings
from cli.status import Road
from pipelines.steps.retrain import Started
from tests.cli.pipeline import CodePipeline, Run
from tests.pipelines.steps.fakes import Fake

WHY = "alarm config-2-ServerErrors rang at 2026-11-21T10:04:00Z: Threshold Crossed: 2 out of 3 were above"
SENTENCE = f"Rolled back in production by SageMaker at 2026-11-21T10:05:00Z: {WHY}"
MARK = {"rolled_back": "2026-11-21T10:05:00Z: config-2-ServerErrors"}


def read(run: Run, *, registry: str = "Rejected", said: str = SENTENCE, metadata: dict[str, str] = MARK) -> Execution:
    """One execution as the command reads it."""
    described = {
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": "s3://b/k"}]},
        "ModelApprovalStatus": registry,
        "ApprovalDescription": said,
        "CustomerMetadataProperties": metadata,
    }

    class Aws:
        def client(self, service: str) -> Any:
            assert service == "sagemaker"
            return Fake(describe_model_package=lambda **_: described)

    return status.with_setback(Aws(), executions.one(CodePipeline([run]), "paved-road-lead-scoring"))  # type: ignore[arg-type]


def drawn(execution: Execution) -> str:
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(status.view([Road(pipeline="paved-road-lead-scoring", executions=[execution])]))
    return captured.get()


def test_the_registry_says_what_codepipeline_does_not_know() -> None:
    """On AWS a build that failed says little more than that it did."""
    execution = read(Run("a", done=5, status="Failed", said="Build terminated with state: FAILED"))
    (line,) = [line for line in drawn(execution).splitlines() if "Production" in line]

    assert f"Build terminated with state: FAILED {SENTENCE}" in line
    assert execution.as_dict()["setback"] == SENTENCE


def test_what_the_stage_said_itself_is_not_said_twice() -> None:
    execution = read(Run("a", done=5, status="Failed", said=f"verify: endpoint e serves config-1, not config-2: {WHY}: correct the model"))

    assert drawn(execution).count("config-2-ServerErrors") == 1


def test_a_version_that_a_person_left_is_told_by_its_mark() -> None:
    execution = read(Run("a", done=5, status="Failed", said="x"), registry="Approved", said="Approved by ruth")

    assert "Rolled back: 2026-11-21T10:05:00Z: config-2-ServerErrors" in drawn(execution)


@pytest.mark.parametrize(
    ("run", "metadata"),
    [(Run("a", done=6), MARK), (Run("a", done=2, status="Failed", said="gate"), MARK), (Run("a", done=5, status="Failed", said="x"), {})],
)
def test_who_was_not_rolled_back_is_not_said_to_be(run: Run, metadata: dict[str, str]) -> None:
    assert read(run, metadata=metadata).setback == ""


def retrainings(**content: Any) -> Retrainings:
    return Retrainings(**{"started": [], "held_back": [], "per_week": 2, **content})


def test_what_began_by_itself_and_what_was_held_back_is_told() -> None:
    one = Started(number=3, time="2026-11-21T10:00:00Z", cause="drift: alarm a rings", answers={}, judge="j", execution="e")
    held = {"time": "2026-11-21T11:00:00Z", "cause": "data: abc", "reason": "cool-down: until tomorrow"}
    found = retrainings(started=[one], held_back=[held])

    assert found.view().plain.splitlines() == [
        "  retraining: 1 of 2 a week began, last at 2026-11-21T10:00:00Z: drift: alarm a rings",
        "  held back: 1, last at 2026-11-21T11:00:00Z: data: abc: cool-down: until tomorrow",
    ]
    assert Road(pipeline="p", executions=[], retrainings=found).as_dict()["retraining"]["held_back"] == [held]


def test_nothing_is_said_where_nothing_began() -> None:
    assert retrainings().view().plain == ""
    assert "retraining" not in Road(pipeline="p", executions=[]).as_dict()
