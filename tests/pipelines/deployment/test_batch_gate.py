"""Whether a batch gives held-out rows the scores that evaluation gave them, and what is said where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment.batch_gate import scored
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence.document import Verdict
from tests.support.fakes import AT_ONCE
from tests.support.scored_files import MODEL_SHA256, RUN, scoring
from tests.support.served_model import HELD_OUT, score

CLASSES = ("no", "later", "yes")
Json = dict[str, Any]


def answer(row: Json) -> Json:
    return {"score": score(row), "error": "", "model_version": MODEL_SHA256[:12]}


def gate(result: Any = answer, held_out: Json = HELD_OUT, classes: tuple[str, ...] = (), **scene: Any) -> Verdict:
    batches, _ = scoring(result, **scene)
    answers = scored(batches, held_out, model_sha256=MODEL_SHA256, classes=classes, tolerance=1e-6, pace=AT_ONCE)
    (verdict,) = answers.verdicts
    assert answers.report["batch"] == {"execution": RUN, "rows": len(held_out["instances"]), "largest_difference": verdict.found}
    return verdict


def test_a_batch_that_scores_like_evaluation_passes() -> None:
    verdict = gate()

    assert (verdict.gate, verdict.passed, verdict.found) == ("batch parity", True, 0.0)


def test_rows_are_compared_each_with_its_own() -> None:
    ages = iter(range(20, 43))
    verdict = gate(lambda row: {**answer(row), "score": score({"age": next(ages, 20)}) if row["age"] else 0})

    assert verdict.passed is False


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (lambda row: {**answer(row), "score": score(row) + 1e-3}, "0.001"),
        (lambda row: {**answer(row), "score": None, "error": f"column 'age': {row['age']}"}, "rows without a score: column 'age': 20"),
        (lambda row: {"error": ""} if row else {}, "a row without a score"),
        (lambda row: {**answer(row), "score": float("nan")}, "a row without a score: not a number"),
    ],
)
def test_another_score_fails_with_what_was_there(result: Any, found: str) -> None:
    verdict = gate(result)

    assert verdict.passed is False
    assert found in str(verdict.found)
    assert verdict.advice


def test_a_batch_of_another_model_fails_whatever_its_scores() -> None:
    verdict = gate(model_sha256="f" * 64)

    assert verdict.passed is False
    assert "scored by model ffff" in str(verdict.found)


def test_of_classes_each_probability_counts() -> None:
    held_out = {"instances": [{"age": 30}], "scores": [[0.1, 0.2, 0.7]]}

    def of(last: float) -> Verdict:
        return gate(lambda row: {"class": "yes", "no": 0.1, "later": 0.2, "yes": last, "error": ""} | row, held_out, CLASSES)

    assert of(0.7).passed
    assert of(0.6).passed is False


def test_a_batch_that_fails_says_which_step_and_why() -> None:
    with pytest.raises(DeploymentError, match=r"batch run1 is Failed: step Prepare: no such file: correct that and retry the stage"):
        gate(statuses=("Failed",), why="no such file")
