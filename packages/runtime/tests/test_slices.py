"""Slices: a floor for each, a champion's for each, small ones reported; and chance alone does not refuse a good model."""

from __future__ import annotations

from dataclasses import replace

import declared
import numpy as np
import pytest
from declared import AMOUNTS, GRADES

from paved_runtime import slices, tasks
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.spec import Data, Gates
from paved_runtime.table import Table, Values
from paved_runtime.verdict import Verdict

VALUES = [f"v{number}" for number in range(8)]
DATA = Data.model_validate(
    {
        "target": "y",
        "positive": "1",
        "negative": "0",
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {"part": {"type": "category", "values": VALUES}},
    }
)


def gates(**slices: float) -> Gates:
    return Gates.model_validate({"roc_auc": 0.5, "slices": {"by": {"part": []}, **slices}})


def holdout(parts: Values, worse: dict[int, float], seed: int = 0, *, unknown: int | None = None) -> Holdout:
    """A champion and a challenger of nearly the same noise; the challenger sees the outcome less clearly in some parts."""
    draw = np.random.default_rng(seed)
    rows = len(parts)
    labels = draw.random(rows) < 0.3
    common, *own = draw.normal(size=(3, rows))
    less = np.array([worse.get(int(part), 0.0) for part in parts])
    signals = np.full(rows, 1.5), 1.5 - less
    champion, challenger = (
        1 / (1 + np.exp(-(signal * labels + 0.95 * common + 0.3 * noise))) for signal, noise in zip(signals, own, strict=True)
    )
    champion[parts == unknown] = np.nan
    return Holdout(
        task=tasks.of(DATA),
        table=Table({"part": 0}, parts[:, None]),
        labels=labels.astype(np.float64),
        challenger=challenger,
        champion=Champion(model_package_arn="arn", reason="", scores=champion),
    )


def judged(rows: Holdout, rules: Gates) -> dict[tuple[str, str], Verdict]:
    parts = slices.measure(rows, DATA, rules)
    return {(verdict.gate, verdict.subject.partition(":")[0]): verdict for verdict in slices.judge(parts, rows, rules)}


def even(rows: int) -> Values:
    return np.arange(rows, dtype=np.float64) % len(VALUES)


def test_a_slice_that_got_worse_is_named_and_the_others_pass() -> None:
    verdicts = judged(holdout(even(16_000), {3: 0.8}), gates())

    failed = [key for key, verdict in verdicts.items() if verdict.passed is False]
    assert failed == [("champion", "part v3")]
    verdict = verdicts["champion", "part v3"]
    assert (verdict.comparison, verdict.threshold) == (">=", -0.03)
    assert isinstance(verdict.found, float)
    assert verdict.found < -0.03
    assert "the challenger is worse here, by 0." in verdict.advice


def test_equal_models_are_not_refused_for_one_of_many_slices() -> None:
    """At 0.95 in all, uncorrected bounds would refuse an equal challenger again and again."""
    refused = 0
    for seed in range(12):
        verdicts = judged(holdout(even(1600), {}, seed), gates(minimum_outcomes=20))
        refused += any(verdict.passed is False for (gate, _), verdict in verdicts.items() if gate == "champion")

    assert refused == 0


def test_a_floor_fails_with_its_number() -> None:
    verdicts = judged(holdout(even(16_000), {5: 1.5}), gates(roc_auc=0.7))
    verdict = verdicts["slices", "part v5"]

    assert (verdict.passed, verdict.comparison, verdict.threshold) == (False, ">=", 0.7)
    assert isinstance(verdict.found, float)
    assert 0.45 < verdict.found < 0.55


def test_a_small_slice_is_reported() -> None:
    parts = np.concatenate([np.zeros(2000), np.ones(50)])
    rows = holdout(parts, {1: 2.0})
    verdicts = judged(rows, gates(roc_auc=0.7))
    small = slices.measure(rows, DATA, gates())[1]

    assert verdicts["slices", "part v1"].passed is None
    assert f"of the rarer outcome there are {small.fewest} of 50 rows: judged from 50" in verdicts["slices", "part v1"].advice
    assert ("champion", "part v1") not in verdicts
    assert small.as_json()["judged"] is False
    assert small.as_json()["figure"] is not None


def test_a_slice_without_rows_or_with_one_outcome_has_no_area() -> None:
    rows = holdout(np.array([0.0] * 200 + [1.0]), {})
    parts = {part.group.name: part.as_json() for part in slices.measure(rows, DATA, gates())}

    assert (parts["v1"]["rows"], parts["v1"]["figure"], parts["v1"]["difference"]) == (1, None, None)
    assert (parts["v2"]["rows"], parts["v2"]["figure"], parts["v2"]["judged"]) == (0, None, False)


def test_rows_that_the_champion_was_trained_on_are_left_out_and_few_others_are_reported() -> None:
    """It knows the outcomes of all rows of v1, and of nearly all of v2."""
    rows = holdout(even(16_000), {})
    assert rows.champion is not None
    parts = rows.table["part"]
    trained = (parts == 1) | (parts == 2) & (np.arange(16_000) >= 800)
    champion = replace(rows.champion, scores=np.where(trained, rows.labels, rows.champion.scores), trained=trained)
    known = replace(rows, champion=champion)
    verdicts, drawn = judged(known, gates()), {part.group.name: part for part in slices.measure(known, DATA, gates())}

    for name in ("v1", "v2"):
        assert verdicts["champion", f"part {name}"].passed is None
        assert verdicts["champion", f"part {name}"].advice == "it was trained on these rows, or on most of them"
        assert verdicts["slices", f"part {name}"].passed is True
    assert all(verdict.passed is not False for verdict in verdicts.values())
    assert (drawn["v1"].champion, drawn["v1"].difference, drawn["v2"].compared) == (None, None, False)
    assert drawn["v3"].difference is not None
    assert drawn["v3"].difference.confidence == 1 - 0.05 / 6


def test_a_slice_that_the_champion_cannot_score_is_reported_as_such() -> None:
    verdicts = judged(holdout(even(16_000), {}, unknown=2), gates())

    assert verdicts["champion", "part v2"].passed is None
    assert verdicts["champion", "part v2"].advice == "the champion cannot score these rows"
    assert verdicts["slices", "part v2"].passed is True


GRADED = Gates.model_validate({"roc_auc": 0.5, "slices": {"by": {"part": []}}})
MEASURED = Gates.model_validate({"r2": 0.1, "slices": {"by": {"part": []}}})


def of_task(data: Data, worse: int | None, seed: int = 0) -> Holdout:
    """4,500 rows over three parts, the challenger's scores being worse in one of them."""
    drawn, noises = (declared.graded, (1.5, 3.0)) if data is GRADES else (declared.measured, (5.0, 8.0))
    labels, champion, challenger, bad = drawn(4500, noises[0], noises[0], noises[1], seed=seed)
    parts = np.arange(4500.0) % 3
    chosen = (parts == worse).reshape(-1, *[1] * (challenger.ndim - 1))
    return declared.holdout(data, labels, np.where(chosen, bad, challenger), champion, parts=parts)


@pytest.mark.parametrize(("data", "rules"), [(GRADES, GRADED), (AMOUNTS, MEASURED)])
def test_a_slice_of_any_task_that_got_worse_is_named(data: Data, rules: Gates) -> None:
    rows = of_task(data, 1)
    parts = slices.measure(rows, data, rules)
    failed = [verdict for verdict in slices.judge(parts, rows, rules) if verdict.passed is False]

    title = rows.task.title
    assert [verdict.subject for verdict in failed] == [f"part south: {title}, challenger minus champion, upper bound"]
    assert [part.metric for part in parts] == [rows.task.headline] * 3
    for place, part in enumerate(parts):
        own = rows.table["part"] == place
        assert part.figure == rows.task.figure(rows.labels[own], rows.challenger[own])
    assert not any(verdict.passed is False for verdict in slices.judge(slices.measure(of_task(data, None), data, rules), rows, rules))


def test_classes_with_few_rows_in_a_slice_are_left_out_of_it() -> None:
    """In the south the challenger gets the three severe cases wrong: three rows say nothing."""
    rows = of_task(GRADES, None)
    severe = (rows.labels == 3) & (rows.table["part"] == 1)
    few = np.flatnonzero(severe)[:3]
    kept = np.setdiff1d(np.arange(4500), np.flatnonzero(severe)[3:])
    challenger = rows.challenger.copy()
    challenger[few] = [0.97, 0.01, 0.01, 0.01]
    assert rows.champion is not None
    left = declared.holdout(GRADES, rows.labels[kept], challenger[kept], rows.champion.scores[kept], parts=rows.table["part"][kept])

    parts = slices.measure(left, GRADES, GRADED)

    south = (left.table["part"] == 1) & (left.labels != 3)
    assert parts[1].figure == left.task.figure(left.labels[south], left.challenger[south])
    assert parts[1].difference is not None
    assert parts[1].difference.high > 0
    assert not any(verdict.passed is False for verdict in slices.judge(parts, left, GRADED))


@pytest.mark.parametrize(("data", "counted"), [(GRADES, "of the second most frequent class"), (AMOUNTS, "with outcomes that differ")])
def test_a_slice_of_one_outcome_is_reported_with_what_was_counted(data: Data, counted: str) -> None:
    rows = of_task(data, None)
    labels = np.where(rows.table["part"] == 2, 1.0, rows.labels)
    same = replace(rows, labels=labels)
    rules = GRADED if data is GRADES else MEASURED
    parts = slices.measure(same, data, rules)
    (verdict,) = (verdict for verdict in slices.judge(parts, same, rules) if verdict.subject.startswith("part east"))

    assert (parts[2].figure, parts[2].fewest, parts[2].difference, verdict.passed, verdict.found) == (None, 0, None, None, None)
    assert verdict.advice == f"{counted} there are 0 of 1500 rows: judged from 50"


def test_a_slice_of_numbers_is_judged_by_its_rows_and_a_floor_fails() -> None:
    rows = of_task(AMOUNTS, 0)
    rules = Gates.model_validate({"r2": 0.1, "slices": {"by": {"part": []}, "r2": 0.6, "minimum_outcomes": 1500}})
    verdicts = {verdict.subject: verdict for verdict in slices.judge(slices.measure(rows, AMOUNTS, rules), rows, rules)}

    assert verdicts["part north: R²"].passed is False
    assert verdicts["part south: R²"].passed is True
