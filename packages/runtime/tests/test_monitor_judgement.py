"""Every drift that was planted is found and named, nothing else is, and what cannot be judged is neither."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from fakes import END

from paved_runtime import tasks
from paved_runtime.delong import roc_auc
from paved_runtime.holdout import Holdout
from paved_runtime.monitoring import baseline
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.judgement import judge
from paved_runtime.monitoring.labels import Joined, Pair
from paved_runtime.monitoring.quality import EvaluationMetrics
from paved_runtime.monitoring.request_log import Reading
from paved_runtime.monitoring.window import Window
from paved_runtime.spec import Category, Column, Data, Monitoring, Number
from paved_runtime.table import Table, Values

COLUMNS: dict[str, Column] = {
    "amount": Number(type="number", minimum=-1e9, maximum=1e9),
    "income": Number(type="number", minimum=-1e9, maximum=1e9, missing=0.9),
    "flag": Number(type="number", minimum=0, maximum=1),
    "colour": Category(type="category", values=("red", "green", "blue", "gold")),
    "kind": Category(type="category", values=("usual", "rare", "never")),
    **{f"noise{n}": Number(type="number", minimum=-1e9, maximum=1e9) for n in range(6)},
}
DATA = Data(target="y", positive="yes", negative="no", minimum_rows=1, holdout=0.2, columns=COLUMNS)
POSITIONS = {name: position for position, name in enumerate(COLUMNS)}
WINDOW = Window(END - timedelta(days=1), END)
RULE = Monitoring()
Drawn = dict[str, Values]


def drawn(seed: int, rows: int) -> Drawn:
    """Rows and scores, and outcomes for which the scores are right."""
    draw = np.random.default_rng(seed)
    columns: Drawn = {name: draw.normal(size=rows) for name in COLUMNS}
    columns["amount"] = np.exp(8 + columns["amount"]).round()
    columns["income"] = np.where(draw.random(rows) < 0.05, np.nan, columns["income"])
    columns["flag"] = (draw.random(rows) < 0.05).astype(np.float64)
    columns["colour"] = draw.choice(4, rows, p=[0.6, 0.29, 0.1, 0.01]).astype(np.float64)
    columns["kind"] = (draw.random(rows) < 0.005).astype(np.float64)
    columns["scores"] = draw.beta(1, 4, rows)
    columns["labels"] = (draw.random(rows) < columns["scores"]).astype(np.float64)
    return columns


def before() -> Baseline:
    rows = drawn(0, 10_000)
    holdout = Holdout(task=tasks.of(DATA), table=table(rows), labels=rows["labels"], challenger=rows["scores"], champion=None)
    content = baseline.record(holdout)
    return Baseline.of(content, DATA)


def table(rows: Drawn) -> Table:
    return Table(POSITIONS, np.column_stack([rows[name] for name in COLUMNS]))


def evaluation(rows: Drawn) -> EvaluationMetrics:
    positive = rows["labels"] == 1
    return EvaluationMetrics(roc_auc(rows["scores"][positive], rows["scores"][~positive], 0.9)[0], 0.01)


def judged(rows: Drawn, labelled: int = 0, rule: Monitoring = RULE) -> dict[str, Any]:
    pairs: dict[str, Pair] = {
        str(n): ("", float(score), float(label))
        for n, (score, label) in enumerate(zip(rows["scores"][:labelled], rows["labels"][:labelled], strict=True))
    }
    counts = Counts.none(WINDOW, BASELINE, Joined(labelled, 0, pairs))
    counts.add(Reading(table(rows), rows["scores"], requests=len(rows["scores"])), BASELINE)
    return judge(counts, BASELINE, EVALUATION, rule)


BASELINE = before()
EVALUATION = evaluation(drawn(0, 10_000))
ROWS = 1000


def one_feature(rows: Drawn, _: np.random.Generator) -> None:
    rows["noise3"] += 0.5


def scale_error(rows: Drawn, _: np.random.Generator) -> None:
    rows["amount"] = rows["amount"] * 100


def rare_category(rows: Drawn, draw: np.random.Generator) -> None:
    rows["colour"] = np.where(draw.random(ROWS) < 0.08, 3.0, rows["colour"])


def flag(rows: Drawn, draw: np.random.Generator) -> None:
    rows["flag"] = (draw.random(ROWS) < 0.4).astype(np.float64)


def missing(rows: Drawn, draw: np.random.Generator) -> None:
    rows["income"] = np.where(draw.random(ROWS) < 0.3, np.nan, rows["income"])


def scores(rows: Drawn, _: np.random.Generator) -> None:
    rows["scores"] = np.clip(rows["scores"] * 1.8, 0, 1)


def rarest_category(rows: Drawn, draw: np.random.Generator) -> None:
    """Half a percent becomes six: what is rare must not be lost among what is pooled."""
    rows["kind"] = np.where(draw.random(ROWS) < 0.06, 1.0, rows["kind"])


def labels(rows: Drawn, draw: np.random.Generator) -> None:
    rows["labels"] = np.where(draw.random(ROWS) < 0.25, 1.0, rows["labels"])


def quality(rows: Drawn, draw: np.random.Generator) -> None:
    rows["labels"] = (draw.random(ROWS) < 0.2).astype(np.float64)


def violations(rows: Drawn, draw: np.random.Generator) -> None:
    rows["colour"] = np.where(draw.random(ROWS) < 0.03, np.inf, rows["colour"])


PLANTED: dict[Callable[[Drawn, np.random.Generator], None], set[tuple[str, str]]] = {
    one_feature: {("feature", "noise3")},
    scale_error: {("feature", "amount")},
    rare_category: {("feature", "colour")},
    rarest_category: {("feature", "kind")},
    flag: {("feature", "flag")},
    missing: {("missing", "income")},
    violations: {("violations", "data contract")},
    scores: {("scores", "scores")},
    labels: {("labels", "labels"), ("calibration", "calibration")},
    quality: {("quality", "ROC AUC")},
}


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_planted_is_judged(plant: Callable[[Drawn, np.random.Generator], None], seed: int) -> None:
    rows = drawn(seed, ROWS)
    plant(rows, np.random.default_rng(seed))
    result = judged(rows, labelled=ROWS)
    moved = {(change["kind"], change["what"]) for change in result["moved"]}

    assert PLANTED[plant] <= moved
    assert moved - PLANTED[plant] <= {("quality", "ROC AUC"), ("calibration", "calibration")}
    assert result["drifted"]
    for change in result["moved"]:
        assert change["sentence"].isprintable()
        if change["kind"] in ("feature", "missing"):
            assert result["columns"][change["what"]]["moved"]


def test_windows_in_which_nothing_moved_are_silent() -> None:
    false = [moved for seed in range(100, 200) for moved in judged(drawn(seed, 500), labelled=300)["moved"]]

    assert false == []


def test_a_change_that_is_small_is_none_and_neither_is_one_that_may_be_chance() -> None:
    rows = drawn(1, 50_000)
    rows["noise3"] += 0.1
    small = judged(rows)
    eager = Monitoring(psi=0.001, minimum_rows=50)
    chance = judged(drawn(2, 60), rule=eager)

    assert small["columns"]["noise3"]["adjusted_p_value"] < 1e-6
    assert not small["drifted"]
    assert max(column["psi"] for column in chance["columns"].values()) > 0.001
    assert not chance["drifted"]


def test_too_few_rows_are_neither_drift_nor_its_absence() -> None:
    rows = drawn(1, 499)
    rows["amount"] *= 100
    result = judged(rows)

    assert result["skipped"] == "499 rows in the window, at least 500 are needed to judge it"
    assert (result["moved"], result["columns"], result["scores"], result["tests"]) == ([], {}, None, 0)
    assert result["quality"]["skipped"] == "0 scored rows have a label, at least 200 are needed"
    assert result["quality"]["figure"] is None


def test_labels_are_judged_even_when_the_window_is_not() -> None:
    rows = drawn(1, 400)
    rows["labels"] = np.random.default_rng(1).permutation(rows["labels"])
    result = judged(rows, labelled=400)

    assert result["skipped"]
    assert {"quality"} <= {change["kind"] for change in result["moved"]}


def test_outcomes_too_rare_to_be_ranked_are_not_judged() -> None:
    rows = drawn(1, ROWS)
    rows["labels"] = (np.arange(ROWS) < 24).astype(np.float64)

    assert judged(rows, labelled=ROWS)["quality"]["skipped"] == "24 labelled rows have the rarer outcome, at least 25 are needed"


def test_a_column_that_is_empty_has_no_distribution() -> None:
    rows = drawn(1, ROWS)
    rows["income"] = np.full(ROWS, np.nan)
    column = judged(rows)["columns"]["income"]

    assert (column["psi"], column["test"], column["moved"]) == (None, None, True)
    assert column["missing"]["found"] == 1


def test_the_adjusted_p_values_are_those_of_all_tests_together() -> None:
    result = judged(drawn(1, ROWS), labelled=ROWS)

    assert result["tests"] == len(COLUMNS) + 3  # and one for what is missing, one for the scores, one for the labels
    assert all(column["adjusted_p_value"] >= column["p_value"] for column in result["columns"].values())


def test_shards_and_their_order_do_not_matter() -> None:
    rows = drawn(1, ROWS)
    rows["colour"][:20] = np.inf
    readings = [
        Reading(Table(POSITIONS, table(rows).values[part]), rows["scores"][part], requests=len(part), failed=number)
        for number, part in enumerate(np.array_split(np.random.default_rng(2).permutation(ROWS), 5))
    ]

    def counted(*parts: Reading) -> Counts:
        counts = Counts.none(WINDOW, BASELINE)
        for part in parts:
            counts.add(part, BASELINE)
        return counts

    once = counted(*readings)
    merged = counted(readings[4], readings[1])
    for part in (counted(readings[3]), counted(readings[0], readings[2])):
        merged.merge(Counts.of(part.as_json()))

    assert merged.as_json() == once.as_json()
    assert judge(merged, BASELINE, EVALUATION, RULE) == judge(once, BASELINE, EVALUATION, RULE)
