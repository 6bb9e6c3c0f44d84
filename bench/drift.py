"""How often the monitor is wrong: windows of real rows in which nothing has changed, and windows with a drift that was planted.

The rows are parted. One part trains a model. Of the others, which it has not seen, every trial draws its own baseline, as large as the
real one, and its own window, without replacement and from the rows that the baseline has not: nothing tells them apart but chance. What is
then said to have moved is a false alarm. For the second question one thing is changed in the window, and the monitor has found it when it
says so of the right thing. The statistics and the limits are those of the product and of `model.toml`.

That is the sample's binary model. For classes and for numbers the rows are made up, with scores that are right: labels are drawn by them.

    ./road bench drift [--task binary] [--data FILE.csv] [--windows 1000] [--trials 100] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from bench._sample import MODEL, REAL, examples
from paved_runtime import plugin, spec, split, tasks
from paved_runtime.holdout import Holdout
from paved_runtime.monitoring import baseline
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.judgement import judge
from paved_runtime.monitoring.labels import Joined, Pair
from paved_runtime.monitoring.quality import EvaluationMetrics
from paved_runtime.monitoring.request_log import Reading
from paved_runtime.monitoring.window import Window
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import Data, Monitoring, TaskName
from paved_runtime.table import Examples, Table
from paved_runtime.train import constraints

MADE, HELD_OUT, NOISE = 30_000, 9_000, 3_000.0
TRAINED_ON = 0.4  # share of the rows; the others are windows and their baselines
SIZES = (500, 1000, 2000)  # rows a window
SPEC = spec.load(MODEL)
RULE = SPEC.monitoring or Monitoring()
END = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAY_BE_EMPTY, OFTEN = "balance", 0.03  # a column made to have empty cells, and how many
FLAG, RARELY = "default", 0.05  # a flag made to be this rare
Values = NDArray[np.float64]
Draw = np.random.Generator


@dataclass
class Rows:
    """Rows, what the model says of them, and what they turned out to be."""

    table: Table
    labels: Values
    scores: Values

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """The given rows, as a copy."""
        return Rows(Table(self.table.positions, self.table.values[rows]), self.labels[rows], self.scores[rows])


class World(ABC):
    """Rows that a model has not seen, and how many of them evaluation has."""

    def __init__(self, data: Data, rows: Rows, held_out: int) -> None:
        self.data, self.task, self.rows, self.held_out = data, tasks.of(data), rows, held_out

    @abstractmethod
    def score(self, table: Table) -> Values:
        """What the model says."""

    def drawn(self, seed: int, size: int) -> tuple[Rows, Rows, Draw]:
        """The rows of a baseline, and those of a window."""
        draw = np.random.default_rng(seed)
        order = draw.permutation(len(self.rows.labels))
        return self.rows.take(order[: self.held_out]), self.rows.take(order[self.held_out :][:size]), draw

    def judged(self, known: Rows, window: Rows) -> dict[str, Any]:
        """What the monitor says of a window all of whose rows have a label."""
        holdout = Holdout(task=self.task, table=known.table, labels=known.labels, challenger=known.scores, champion=None)
        before, figures = Baseline.of(baseline.record(holdout), self.data), self.task.metrics(known.labels, known.scores)
        measured = EvaluationMetrics(figures[self.task.headline], figures["calibration_error"])
        each = enumerate(zip(window.scores.tolist(), window.labels.tolist(), strict=True))
        pairs: dict[str, Pair] = {str(n): ("", score, label) for n, (score, label) in each}
        counts = Counts.none(Window(END - timedelta(days=1), END), before, Joined(len(pairs), 0, pairs))
        counts.add(Reading(window.table, window.scores, requests=len(pairs)), before)
        judgement: dict[str, Any] = judge(counts, before, measured, RULE)
        return judgement


class Sample(World):
    """The rows that the sample's model has not seen, with a contract that lets one column be empty."""

    def __init__(self, examples: Examples) -> None:
        rest, unseen = split.split(examples, tasks.of(SPEC.data), share=1 - TRAINED_ON, seed=SPEC.data.seed)
        self._features = plugin.features(MODEL)
        hyperparameters, monotone = SPEC.training.hyperparameters, constraints(self._features.NAMES, SPEC.gates.behaviour)
        matrix = self._features.features(rest.table)
        run = TrainingRun(matrix=matrix, labels=rest.labels, hyperparameters=hyperparameters, monotone=monotone)
        self._booster = plugin.training(MODEL).train(run)
        draw, values = np.random.default_rng(0), unseen.table.values
        values[:, unseen.table.positions[FLAG]] = draw.random(len(values)) < RARELY
        values[draw.random(len(values)) < OFTEN, unseen.table.positions[MAY_BE_EMPTY]] = np.nan
        emptied = SPEC.data.columns[MAY_BE_EMPTY].model_copy(update={"missing": 1.0})
        data = SPEC.data.model_copy(update={"columns": {**SPEC.data.columns, MAY_BE_EMPTY: emptied}})
        rows = Rows(unseen.table, unseen.labels, self.score(unseen.table))
        super().__init__(data, rows, round(len(examples) * SPEC.data.holdout))

    def score(self, table: Table) -> Values:
        return np.asarray(self._booster.inplace_predict(self._features.features(table)), dtype=np.float64)


class MadeUp(World):
    """Rows of a contract whose model is known, and right: what it says of a row is how likely each class is, or what its amount is."""

    def __init__(self, data: Data) -> None:
        self._classes = len(data.classes)
        draw = np.random.default_rng(0)
        parts = [draw.normal(40_000, 12_000, MADE), draw.gamma(2, 5_000, MADE), draw.choice(3, MADE, p=[0.6, 0.39, 0.01])]
        values = np.column_stack(parts)
        values[draw.random(MADE) < OFTEN, 1] = np.nan
        table = Table({name: place for place, name in enumerate(data.columns)}, values)
        scores = self.score(table)
        super().__init__(data, Rows(table, drawn_by(scores, draw), scores), HELD_OUT)

    def score(self, table: Table) -> Values:
        strength = (table["income"] - 40_000) / 12_000 - np.nan_to_num(table["debt"], nan=10_000.0) / 10_000 + 0.3 * table["region"]
        if not self._classes:
            return np.asarray(12_000 + 4_000 * strength)
        rank = np.arange(self._classes)
        raised = np.exp(np.outer(-strength, rank) - 1.2 * rank)
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def drawn_by(scores: Values, draw: Draw) -> Values:
    """Labels that are as likely as scores say; amounts with noise, whose standard deviation is NOISE."""
    if scores.ndim == 1:
        return np.asarray(scores + draw.normal(0, NOISE, len(scores)))
    below = (scores.cumsum(axis=1) < draw.random((len(scores), 1))).sum(axis=1)
    return np.asarray(np.minimum(below, scores.shape[1] - 1), dtype=np.float64)


@dataclass(frozen=True)
class Drift:
    """Something planted in a window, and what the monitor must say has moved: any of the given kinds and names."""

    name: str
    plant: Callable[[World, Rows, Draw], None]
    expected: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Found:
    """How often a drift was found in windows of one size, and after how many windows, on average and at worst."""

    drift: str
    rows: int
    trials: int
    found: int
    mean_windows: float
    most_windows: int


def one_feature(world: World, window: Rows, _: Draw, *, years: int) -> None:
    window.table["age"][:] = np.minimum(window.table["age"] + years, 120)
    window.scores[:] = world.score(window.table)


def rare_category(world: World, window: Rows, draw: Draw, *, share: float) -> None:
    unknown = next(
        column.values.index("unknown") for name, column in SPEC.data.columns.items() if name == "job" and column.type == "category"
    )
    window.table["job"][draw.random(len(window.labels)) < share] = unknown
    window.scores[:] = world.score(window.table)


def flag(world: World, window: Rows, draw: Draw, *, share: float) -> None:
    window.table[FLAG][:] = draw.random(len(window.labels)) < share
    window.scores[:] = world.score(window.table)


def missing_surge(world: World, window: Rows, draw: Draw, *, share: float) -> None:
    more = (share - OFTEN) / (1 - OFTEN)
    window.table[MAY_BE_EMPTY][draw.random(len(window.labels)) < more] = np.nan
    window.scores[:] = world.score(window.table)


def scale_error(world: World, window: Rows, _: Draw, *, times: int) -> None:
    """What is then out of range is refused, and has no score."""
    column = SPEC.data.columns["balance"]
    assert column.type == "integer"
    window.table["balance"][:] *= times
    window.scores[:] = world.score(window.table)
    refused = (window.table["balance"] < column.minimum) | (window.table["balance"] > column.maximum)
    window.table["balance"][refused] = np.inf
    window.scores, window.labels = window.scores[~refused], window.labels[~refused]


def score_shift(_: World, window: Rows, __: Draw, *, log_odds: float) -> None:
    window.scores[:] = 1 / (1 + np.exp(-np.log(window.scores / (1 - window.scores)) - log_odds))


def label_shift(world: World, window: Rows, draw: Draw, *, share: float) -> None:
    """What the positive and the negative rows are like stays; only how many there are does not."""
    positives, labels = round(share * len(window.labels)), world.rows.labels == 1
    rows = [draw.choice(np.flatnonzero(labels), positives, replace=False)]
    rows += [draw.choice(np.flatnonzero(~labels), len(window.labels) - positives, replace=False)]
    other = world.rows.take(np.concatenate(rows))
    window.table, window.scores, window.labels = other.table, other.scores, other.labels


def more_income(world: World, window: Rows, _: Draw, *, by: float) -> None:
    window.table["income"][:] += by
    window.scores[:] = world.score(window.table)


def rare_region(world: World, window: Rows, draw: Draw, *, share: float) -> None:
    window.table["region"][draw.random(len(window.labels)) < share] = 2
    window.scores[:] = world.score(window.table)


def missing_debt(world: World, window: Rows, draw: Draw, *, share: float) -> None:
    window.table["debt"][draw.random(len(window.labels)) < (share - OFTEN) / (1 - OFTEN)] = np.nan
    window.scores[:] = world.score(window.table)


def worse_grades(_: World, window: Rows, __: Draw, *, log_odds: float) -> None:
    """Of the last class against the first; of those between in proportion."""
    raised = window.scores * np.exp(np.linspace(0, log_odds, window.scores.shape[1]))
    window.scores[:] = raised / raised.sum(axis=1, keepdims=True)


def swapped_classes(_: World, window: Rows, __: Draw) -> None:
    window.scores[:] = window.scores[:, [1, 0, *range(2, window.scores.shape[1])]]


def higher_amounts(_: World, window: Rows, __: Draw, *, by: float) -> None:
    window.scores += by


def other_labels(_: World, window: Rows, draw: Draw, *, share: float) -> None:
    """Those of a share of the rows belong to others of them: what is scored says less, and labels are distributed as before."""
    moved = np.flatnonzero(draw.random(len(window.labels)) < share)
    window.labels[moved] = window.labels[draw.permutation(moved)]


def last_class(_: World, window: Rows, draw: Draw, *, share: float) -> None:
    window.labels[draw.random(len(window.labels)) < share] = window.scores.shape[1] - 1


def higher_labels(_: World, window: Rows, __: Draw, *, by: float) -> None:
    window.labels += by


SHARED = (
    Drift("one feature: income, half a standard deviation more", partial(more_income, by=6_000), (("feature", "income"),)),
    Drift("rare category: region, 1 % to 8 %", partial(rare_region, share=0.08), (("feature", "region"),)),
    Drift("missing: 3 % to 18 %", partial(missing_debt, share=0.18), (("missing", "debt"),)),
)
ANSWERED = (("scores", "scores"), ("scores", "class"))
DRIFTS: dict[TaskName, tuple[Drift, ...]] = {
    "binary": (
        Drift("one feature: age, 5 years more", partial(one_feature, years=5), (("feature", "age"),)),
        Drift("one feature: age, 3 years more", partial(one_feature, years=3), (("feature", "age"),)),
        Drift("rare category: job unknown, 0.6 % to 8 %", partial(rare_category, share=0.08), (("feature", "job"),)),
        Drift("rare category: job unknown, 0.6 % to 5 %", partial(rare_category, share=0.05), (("feature", "job"),)),
        Drift("flag: 5 % to 40 %", partial(flag, share=0.4), (("feature", FLAG),)),
        Drift("flag: 5 % to 14 %", partial(flag, share=0.14), (("feature", FLAG),)),
        Drift("missing: 3 % to 18 %", partial(missing_surge, share=0.18), (("missing", MAY_BE_EMPTY),)),
        Drift("missing: 3 % to 9 %", partial(missing_surge, share=0.09), (("missing", MAY_BE_EMPTY),)),
        Drift("scale: balance times 100", partial(scale_error, times=100), (("feature", "balance"), ("violations", "data contract"))),
        Drift("scale: balance times 2", partial(scale_error, times=2), (("feature", "balance"), ("violations", "data contract"))),
        Drift("scores: log-odds raised by 0.7", partial(score_shift, log_odds=0.7), (("scores", "scores"),)),
        Drift("scores: log-odds raised by 0.3", partial(score_shift, log_odds=0.3), (("scores", "scores"),)),
        Drift("labels: 12 % to 30 % positive", partial(label_shift, share=0.3), (("labels", "labels"),)),
        Drift("labels: 12 % to 25 % positive", partial(label_shift, share=0.25), (("labels", "labels"),)),
    ),
    "multiclass": (
        *SHARED,
        Drift("scores: log-odds of last to first class raised by 1.5", partial(worse_grades, log_odds=1.5), ANSWERED),
        Drift("scores: log-odds of last to first class raised by 1.1", partial(worse_grades, log_odds=1.1), ANSWERED),
        Drift("scores: two classes have changed places", swapped_classes, (("scores", "class"),)),
        Drift("labels: 20 % of them become the last class", partial(last_class, share=0.2), (("labels", "labels"),)),
        Drift("quality: half of the labels are of other rows", partial(other_labels, share=0.5), (("quality", "mean ROC AUC"),)),
        Drift("quality: a quarter of the labels are of other rows", partial(other_labels, share=0.25), (("quality", "mean ROC AUC"),)),
    ),
    "regression": (
        *SHARED,
        Drift("scores: half a standard deviation higher", partial(higher_amounts, by=2_600), (("scores", "scores"),)),
        Drift("scores: a quarter of one higher", partial(higher_amounts, by=1_300), (("scores", "scores"),)),
        Drift("labels: half a standard deviation higher", partial(higher_labels, by=3_000), (("labels", "labels"),)),
        Drift("calibration: labels a quarter of one higher", partial(higher_labels, by=1_500), (("calibration", "calibration"),)),
        Drift("quality: half of the labels are of other rows", partial(other_labels, share=0.5), (("quality", "R²"),)),
        Drift("quality: a quarter of the labels are of other rows", partial(other_labels, share=0.25), (("quality", "R²"),)),
    ),
}
NUMBER, CATEGORY = {"type": "number", "minimum": -1e9, "maximum": 1e9, "missing": 1.0}, {"type": "category", "values": ["a", "b", "c"]}
CONTRACT = {"minimum_rows": 1, "holdout": 0.2, "columns": {"income": NUMBER, "debt": NUMBER, "region": CATEGORY}}
CONTRACTS: dict[TaskName, dict[str, Any]] = {
    "multiclass": {"target": "grade", "classes": ["low", "medium", "high", "severe"], **CONTRACT},
    "regression": {"target": "amount", "target_minimum": -1e9, "target_maximum": 1e9, **CONTRACT},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=REAL, help="a CSV of the sample's contract; without it ROAD_REAL_DATA, else made up")
    parser.add_argument("--task", nargs="*", choices=list(DRIFTS), help="all without it")
    parser.add_argument("--windows", type=int, default=1000, help="without drift")
    parser.add_argument("--trials", type=int, default=100, help="windows of each drift and size")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [measured(task, arguments) for task in arguments.task or DRIFTS]
    print(json.dumps(results) if arguments.json else "\n\n".join(map(table, results)))


def measured(task: TaskName, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything about one task."""
    began = time.monotonic()
    world = Sample(examples(arguments.data)) if task == "binary" else MadeUp(Data(**CONTRACTS[task]))
    say(f"{task}: {len(world.rows.labels)} rows that the model has not seen; baselines of {world.held_out} of them")
    quiet = without_drift(world, arguments.windows)
    drifts = [detected(world, drift, size, arguments.trials) for drift in DRIFTS[task] for size in SIZES]
    rules = {"false_alarm_rate", "psi", "missing", "violations", f"{world.task.headline}_loss", "calibration_error"}
    return {
        "task": task,
        "data": str(arguments.data or "synthetic") if task == "binary" else "made up",
        "rule": RULE.model_dump(include=rules),
        **quiet,
        "drifts": [asdict(drift) for drift in drifts],
        "seconds": round(time.monotonic() - began, 1),
    }


def without_drift(world: World, windows: int) -> dict[str, Any]:
    """How many windows of 500 to 2000 rows are said to have drifted, and in how many the tests alone would have said so of any size."""
    alarms, significant = 0, 0
    blamed: Counter[str] = Counter()
    for seed in range(windows):
        size = int(np.random.default_rng([seed, 1]).integers(min(SIZES), max(SIZES) + 1))
        known, window, _ = world.drawn(seed, size)
        report = world.judged(known, window)
        alarms += report["drifted"]
        blamed.update(f"{change['kind']}: {change['what']}" for change in report["moved"])
        answered = [report["scores"], *([report["predicted"]] if report["predicted"] else [])]
        parts = [*report["columns"].values(), *answered, *(column["missing"] for column in report["columns"].values())]
        significant += min(part["adjusted_p_value"] or 1.0 for part in parts) <= RULE.false_alarm_rate
        if (seed + 1) % 250 == 0:
            say(f"{seed + 1} windows without drift: {alarms} false alarms")
    return {
        "windows": windows,
        "false_alarms": alarms,
        "interval": interval(alarms, windows),
        "blamed": dict(blamed),
        "tests_alone": significant,
        "tests_alone_interval": interval(significant, windows),
    }


def detected(world: World, drift: Drift, size: int, trials: int) -> Found:
    """How often one drift is found in windows of one size."""
    hits = []
    for seed in range(trials):
        known, window, draw = world.drawn(10_000 + seed, size)
        drift.plant(world, window, draw)
        moved = {(one["kind"], one["what"]) for one in world.judged(known, window)["moved"]}
        hits.append(bool(moved & set(drift.expected)))
    waits = [next((wait for wait, hit in enumerate(hits[start:], start=1) if hit), trials) for start in range(trials // 2)]
    say(f"{drift.name}, {size} rows: found in {sum(hits)} of {trials}")
    return Found(
        drift=drift.name,
        rows=size,
        trials=trials,
        found=sum(hits),
        mean_windows=round(float(np.mean(waits)), 2),
        most_windows=max(waits),
    )


def interval(count: int, of: int) -> list[float]:
    """The exact 95 % interval of a share (Clopper and Pearson, Biometrika 26, 1934)."""
    found = stats.binomtest(count, of).proportion_ci(0.95, method="exact")
    return [round(float(found.low), 5), round(float(found.high), 5)]


def table(result: dict[str, Any]) -> str:
    """The result as a person reads it."""
    low, high = result["interval"]
    lines = [
        f"{result['task']}, {result['data']}",
        f"without drift: {result['false_alarms']} false alarms in {result['windows']} windows of {min(SIZES)} to {max(SIZES)} rows"
        f" (95 % interval {low:.2%} to {high:.2%}; accepted is {RULE.false_alarm_rate:.2%})",
        f"by the tests alone, however small the change: {result['tests_alone']} of {result['windows']}"
        f" ({result['tests_alone_interval'][0]:.2%} to {result['tests_alone_interval'][1]:.2%})",
        "",
        f"{'drift':56} {'rows':>6} {'found':>7} {'windows until found, mean':>26} {'at most':>8}",
    ]
    lines += [
        f"{drift['drift']:56} {drift['rows']:6} {drift['found'] / drift['trials']:7.0%} {drift['mean_windows']:26.2f}"
        f" {drift['most_windows']:8}"
        for drift in result["drifts"]
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
