"""`road retry`: exactly the stage that failed, of exactly the execution that is meant."""

from __future__ import annotations

from typing import Any

import pytest

import naming
from cli.commands import retry
from cli.problem import Problem
from tests.reference import MODEL
from tests.support.code_pipeline import APPROVAL, PIPELINE, PRODUCTION, CodePipeline, Run


class Retrying(CodePipeline):
    """Remembers what it was asked to repeat."""

    def __init__(self, *runs: Run) -> None:
        super().__init__(list(runs))
        self.repeated: list[dict[str, Any]] = []

    def retry_stage_execution(self, **request: Any) -> None:
        self.repeated.append(request)


@pytest.mark.parametrize("wanted", [None, "b", "bb"])
def test_the_failed_stage_runs_again(wanted: str | None) -> None:
    pipeline = Retrying(Run("bb", PRODUCTION, "Failed", "no machines of this type"), Run("a"))

    execution, stage = retry.again(pipeline, MODEL, wanted)

    assert (execution.id, stage.name) == ("bb", PRODUCTION)
    assert pipeline.repeated == [
        {"pipelineName": PIPELINE, "stageName": PRODUCTION, "pipelineExecutionId": "bb", "retryMode": "FAILED_ACTIONS"}
    ]


def test_an_older_execution_is_repeated_by_its_name() -> None:
    pipeline = Retrying(Run("b", naming.TRAIN), Run("a", naming.BUILD, "Failed"))
    assert retry.again(pipeline, MODEL, "a")[1].name == naming.BUILD


@pytest.mark.parametrize(
    ("runs", "problem"),
    [
        ([Run("a")], f"execution a: it is Succeeded: no stage of it has failed: ./road status {MODEL}"),
        ([Run("a", naming.TRAIN)], f"execution a: it is InProgress: no stage of it has failed: ./road status {MODEL}"),
        ([Run("a", APPROVAL)], f"execution a: it is InProgress: no stage of it has failed: ./road status {MODEL}"),
        ([Run("b", naming.TRAIN), Run("a", naming.BUILD, "Failed")], "execution b: it is InProgress: no stage of it has failed"),
        ([], f"pipeline {PIPELINE}: nothing was pushed yet: git push, or ./road push"),
    ],
)
def test_what_has_not_failed_is_not_repeated(runs: list[Run], problem: str) -> None:
    pipeline = Retrying(*runs)
    with pytest.raises(Problem) as raised:
        retry.again(pipeline, MODEL, None)
    assert str(raised.value).startswith(problem)
    assert pipeline.repeated == []
