"""What evaluation asks of a model of each task, with models that are functions: what they do is seen, and what is no answer stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import task_rows

from paved_runtime import contract, gates, report, spec, tasks
from paved_runtime.artifact import write_json
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.spec import Data
from paved_runtime.table import Examples, Table, Values
from paved_runtime.verdict import Verdict

SPECS = {task: spec.load(model) for task, model in task_rows.MODELS.items()}
CHECKED = {"checks": [{"column": "", "rule": "rows", "passed": True}]}
Score = Callable[[Table], Values]


def strength(table: Table) -> Values:
    debt = np.nan_to_num(table["debt"], nan=10_000)
    return (table["income"] - 40_000) / 12_000 - debt / 10_000 + table["years"] / 20 + 0.3 * table["region"]


def grades(table: Table) -> Values:
    """Of each class, how likely the cuts between grades make it."""
    below = 1 / (1 + np.exp(-(np.array([-1.0, 0.0, 1.0]) + strength(table)[:, None]) / 0.5))
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def amounts(table: Table) -> Values:
    return np.clip(12_000 + 4_000 * strength(table), 0, 50_000)


SCORES: dict[str, Score] = {"multiclass": grades, "regression": amounts}
EVERY = pytest.mark.parametrize("task", SCORES)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Examples]:
    return {task: _read(tmp_path_factory.mktemp(task), task, each.data) for task, each in SPECS.items()}


def _read(folder: Path, task: str, data: Data) -> Examples:
    made = task_rows.made(task, 2000, seed=4)
    lines = [",".join(made[0]), *(",".join(row.values()) for row in made)]
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return contract.read(folder, data)


def examined(task: str, rows: Examples, score: Score, champion: Champion | None = None) -> gates.Findings:
    holdout = Holdout(
        task=tasks.of(SPECS[task].data), table=rows.table, labels=rows.labels, challenger=score(rows.table), champion=champion
    )
    return gates.examine(SPECS[task], holdout, CHECKED, score, lambda _: None)


def failed(findings: gates.Findings) -> list[Verdict]:
    return [verdict for verdict in gates.verdicts(findings) if verdict.passed is False and verdict.gate != "reason codes"]


@EVERY
def test_a_good_model_passes_all_that_is_asked_and_is_reported(task: str, examples: dict[str, Examples], tmp_path: Path) -> None:
    rows = examples[task]
    champion = Champion(model_package_arn="arn", reason="", scores=SCORES[task](rows.table))
    findings = examined(task, rows, SCORES[task], champion)

    assert [verdict for verdict in failed(findings) if verdict.gate != "fairness"] == []
    content: dict[str, Any] = report.report(findings)
    write_json(tmp_path / "report.json", content)
    assert (content["task"], set(content["drawn"])) == (task, {"challenger", "champion"})
    assert content["drawn"]["challenger"] == content["drawn"]["champion"]


@EVERY
def test_single_precision_is_no_worse_than_double(task: str, examples: dict[str, Examples]) -> None:
    def single(table: Table) -> Values:
        return SCORES[task](table).astype(np.float32).astype(np.float64)

    ours, theirs = (examined(task, examples[task], score) for score in (single, SCORES[task]))

    assert dict(ours.metrics) == pytest.approx(dict(theirs.metrics), rel=1e-5, abs=1e-6)
    assert [outcome.kept_share for outcome in ours.behaviour] == [outcome.kept_share for outcome in theirs.behaviour]


def test_behaviour_is_that_of_the_class_it_is_declared_for(examples: dict[str, Examples]) -> None:
    """The region moves the probability of the severe grade alone, not that of the low one, at which the test looks."""

    def score(table: Table) -> Values:
        scores = np.full((len(table), 4), 0.25)
        scores[:, 3] += 0.3 * (table["region"] - 1) / 2
        scores[:, 1] -= 0.3 * (table["region"] - 1) / 2
        return scores + 1e-9 * grades(table)

    model, rows = SPECS["multiclass"], examples["multiclass"]
    holdout = Holdout(task=tasks.of(model.data), table=rows.table, labels=rows.labels, challenger=score(rows.table), champion=None)

    def kept(outcome: str) -> float:
        (rule,) = model.gates.behaviour.invariance
        declared = model.gates.behaviour.model_copy(
            update={"outcome": outcome, "invariance": (rule.model_copy(update={"maximum_change": 0.1}),)}
        )
        changed = model.model_copy(update={"gates": model.gates.model_copy(update={"behaviour": declared})})
        (test,) = gates.examine(changed, holdout, CHECKED, score, lambda _: None).behaviour
        return test.kept_share

    assert {name: kept(name) for name in model.data.classes} == {"low": 1, "medium": 0, "high": 1, "severe": 0}


def test_a_class_of_a_few_rows_is_reported_and_does_not_decide(examples: dict[str, Examples]) -> None:
    rows = examples["multiclass"]
    severe = np.flatnonzero(rows.labels == 3)
    few = rows.take(np.setdiff1d(np.arange(len(rows)), severe[5:]))
    champion = Champion(model_package_arn="arn", reason="", scores=grades(few.table))

    def wrong(table: Table) -> Values:
        """As the champion, but where a severe row is."""
        scores = grades(table)
        known = np.isin(table["income"], few.table["income"][few.labels == 3])
        return np.where(known[:, None], scores[:, ::-1], scores)

    verdicts = list(gates.verdicts(examined("multiclass", few, wrong, champion)))
    (rare,) = (verdict for verdict in verdicts if verdict.subject.startswith("severe: ROC AUC"))
    (compared,) = (verdict for verdict in verdicts if verdict.gate == "champion" and verdict.subject.endswith("lower bound"))

    assert (rare.gate, rare.passed) == ("floor", None)
    assert "of it there are 5 held-out rows: from 25 on" in rare.advice
    assert isinstance(rare.found, float)
    assert rare.found < 0.6
    assert compared.passed is True


@pytest.mark.parametrize(
    ("task", "broken", "answer"),
    [("multiclass", [0.5, 0.5, 0.5, 0.5], "probability of each class"), ("regression", np.inf, "finite number")],
)
def test_what_is_no_answer_stops_it(task: str, broken: float | list[float], answer: str, examples: dict[str, Examples]) -> None:
    def score(table: Table) -> Values:
        scores = SCORES[task](table)
        scores[7] = broken
        return scores

    with pytest.raises(ArithmeticError, match=f"1 of 2000 held-out rows get a score that is no {answer}"):
        examined(task, examples[task], score)


@EVERY
def test_rows_of_one_outcome_stop_it(task: str, examples: dict[str, Examples]) -> None:
    rows = replace(examples[task], labels=np.ones(2000))

    with pytest.raises(ArithmeticError, match=r"all held-out rows have the same outcome: .* hold out more rows \(data.holdout\)"):
        examined(task, rows, SCORES[task])
