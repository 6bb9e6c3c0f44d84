"""Slices: a floor for each, a champion's for each, small ones reported; and chance alone does not refuse a good model."""

from __future__ import annotations

import numpy as np

from model_code.runtime import slices
from model_code.runtime.scored import Champion, Scored
from model_code.runtime.table import Table, Values
from model_code.runtime.verdict import Verdict
from model_code.spec import Data, Gates

VALUES = [f"v{number}" for number in range(8)]
DATA = Data.model_validate(
    {
        "target": "y",
        "positive": "1",
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {"part": {"type": "category", "values": VALUES}},
    }
)


def gates(**slices: float) -> Gates:
    return Gates.model_validate({"roc_auc": 0.5, "slices": {"by": {"part": []}, **slices}})


def scored(parts: Values, worse: dict[int, float], seed: int = 0, *, unknown: int | None = None) -> Scored:
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
    return Scored(
        table=Table({"part": 0}, parts[:, None]),
        labels=labels,
        challenger=challenger,
        champion=Champion(model_package_arn="arn", reason="", scores=champion),
    )


def judged(given: Scored, wanted: Gates) -> dict[tuple[str, str], Verdict]:
    found = slices.measure(given, DATA, wanted)
    return {(verdict.gate, verdict.subject.partition(":")[0]): verdict for verdict in slices.judge(found, given, wanted)}


def even(rows: int) -> Values:
    return np.arange(rows, dtype=np.float64) % len(VALUES)


def test_a_slice_that_got_worse_is_named_and_the_others_pass() -> None:
    verdicts = judged(scored(even(16_000), {3: 0.8}), gates())

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
        verdicts = judged(scored(even(1600), {}, seed), gates(minimum_outcomes=20))
        refused += any(verdict.passed is False for (gate, _), verdict in verdicts.items() if gate == "champion")

    assert refused == 0


def test_a_floor_fails_with_its_number() -> None:
    verdicts = judged(scored(even(16_000), {5: 1.5}), gates(roc_auc=0.7))
    verdict = verdicts["slices", "part v5"]

    assert (verdict.passed, verdict.comparison, verdict.threshold) == (False, ">=", 0.7)
    assert isinstance(verdict.found, float)
    assert 0.45 < verdict.found < 0.55


def test_a_small_slice_is_reported() -> None:
    parts = np.concatenate([np.zeros(2000), np.ones(50)])
    given = scored(parts, {1: 2.0})
    verdicts = judged(given, gates(roc_auc=0.7))
    small = slices.measure(given, DATA, gates())[1]

    assert verdicts["slices", "part v1"].passed is None
    assert f"{small.positives} of 50 rows are positive: judged from 50 of either outcome" in verdicts["slices", "part v1"].advice
    assert ("champion", "part v1") not in verdicts
    assert small.as_json()["judged"] is False
    assert small.as_json()["roc_auc"] is not None


def test_a_slice_without_rows_or_with_one_outcome_has_no_area() -> None:
    given = scored(np.array([0.0] * 200 + [1.0]), {})
    found = {part.group.name: part.as_json() for part in slices.measure(given, DATA, gates())}

    assert (found["v1"]["rows"], found["v1"]["roc_auc"], found["v1"]["difference"]) == (1, None, None)
    assert (found["v2"]["rows"], found["v2"]["roc_auc"], found["v2"]["judged"]) == (0, None, False)


def test_a_slice_that_the_champion_cannot_score_is_reported_as_such() -> None:
    verdicts = judged(scored(even(16_000), {}, unknown=2), gates())

    assert verdicts["champion", "part v2"].passed is None
    assert verdicts["champion", "part v2"].advice == "the champion cannot score these rows"
    assert verdicts["slices", "part v2"].passed is True
