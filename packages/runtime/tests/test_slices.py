"""Slices: a floor for each, a champion's for each, small ones reported; and chance alone does not refuse a good model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
