"""How often the monitor is wrong: windows of real rows in which nothing has changed, and windows with a drift that was planted.

The rows are parted. One part trains a model. Of the others, which it has not seen, every trial draws its own baseline, as large as the
real one, and its own window, without replacement and from the rows that the baseline has not: nothing tells them apart but chance. What is
then said to have moved is a false alarm. For the second question one thing is changed in the window, and the monitor has found it when it
says so of the right thing. The statistics and the limits are those of the product and of `model.toml`.

    ./road bench drift [--data FILE.csv] [--windows 1000] [--trials 100] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
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
from paved_runtime import calibration, plugin, spec, split
from paved_runtime.curves import roc_auc
from paved_runtime.monitoring import baseline
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.judgement import EvaluationMetrics, judge
from paved_runtime.monitoring.labels import Joined
from paved_runtime.monitoring.request_log import Reading, Window
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import Monitoring
from paved_runtime.table import Examples, Table
from paved_runtime.train import constraints

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
    labels: NDArray[np.bool_]
    scores: Values

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """The given rows, as a copy."""
        return Rows(Table(self.table.positions, self.table.values[rows]), self.labels[rows], self.scores[rows])


class World:
    """The rows that the model has not seen, with a contract that lets one column be empty."""

    def __init__(self, examples: Examples) -> None:
        rest, unseen = split.split(examples, share=1 - TRAINED_ON, seed=SPEC.data.seed)
        self._features = plugin.features(MODEL)
        hyperparameters, monotone = SPEC.training.hyperparameters, constraints(self._features.NAMES, SPEC.gates.behaviour)
        matrix = self._features.features(rest.table)
        run = TrainingRun(matrix=matrix, labels=rest.labels, hyperparameters=hyperparameters, monotone=monotone)
        self._booster = plugin.training(MODEL).train(run)
        draw, values = np.random.default_rng(0), unseen.table.values
        values[:, unseen.table.positions[FLAG]] = draw.random(len(values)) < RARELY
        values[draw.random(len(values)) < OFTEN, unseen.table.positions[MAY_BE_EMPTY]] = np.nan
        emptied = SPEC.data.columns[MAY_BE_EMPTY].model_copy(update={"missing": 1.0})
        self.data = SPEC.data.model_copy(update={"columns": {**SPEC.data.columns, MAY_BE_EMPTY: emptied}})
        self.rows = Rows(unseen.table, unseen.labels == 1, self.score(unseen.table))
        self.held_out = round(len(examples) * SPEC.data.holdout)

    def score(self, table: Table) -> Values:
        """What the model says."""
        return np.asarray(self._booster.inplace_predict(self._features.features(table)), dtype=np.float64)

    def drawn(self, seed: int, size: int) -> tuple[Rows, Rows, Draw]:
        """The rows of a baseline, and those of a window."""
        draw = np.random.default_rng(seed)
        order = draw.permutation(len(self.rows.labels))
        return self.rows.take(order[: self.held_out]), self.rows.take(order[self.held_out :][:size]), draw

    def judged(self, known: Rows, window: Rows) -> dict[str, Any]:
        """What the monitor says of a window all of whose rows have a label."""
        content = baseline.record(known.table, self.data, known.scores, float(known.labels.mean()))
        before, area = Baseline.of(content, self.data), roc_auc(known.labels, known.scores)
        assert area is not None
        measured = EvaluationMetrics(area, calibration.reliability(known.labels, known.scores).error)
        each = enumerate(zip(window.scores.tolist(), window.labels.tolist(), strict=True))
        pairs = {str(n): ("", score, label) for n, (score, label) in each}
        counts = Counts.none(Window(END - timedelta(days=1), END), before, Joined(len(pairs), 0, pairs))
        counts.add(Reading(window.table, window.scores, requests=len(pairs)), before)
        found: dict[str, Any] = judge(counts, before, measured, RULE)
        return found


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
    positives, labels = round(share * len(window.labels)), world.rows.labels
    rows = [draw.choice(np.flatnonzero(labels), positives, replace=False)]
    rows += [draw.choice(np.flatnonzero(~labels), len(window.labels) - positives, replace=False)]
    other = world.rows.take(np.concatenate(rows))
    window.table, window.scores, window.labels = other.table, other.scores, other.labels


DRIFTS = (
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
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=REAL, help="a CSV of the sample's contract; without it ROAD_REAL_DATA, else made up")
    parser.add_argument("--windows", type=int, default=1000, help="without drift")
    parser.add_argument("--trials", type=int, default=100, help="windows of each drift and size")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    world = World(examples(arguments.data))
    say(f"{len(world.rows.labels)} rows that the model has not seen; baselines of {world.held_out} of them")
    quiet = without_drift(world, arguments.windows)
    found = [detected(world, drift, size, arguments.trials) for drift in DRIFTS for size in SIZES]
    result = {
        "data": str(arguments.data or "synthetic"),
        "rule": RULE.model_dump(include={"false_alarm_rate", "psi", "missing", "violations", "roc_auc_loss", "calibration_error"}),
        **quiet,
        "drifts": [asdict(one) for one in found],
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(result) if arguments.json else table(result, found))


def without_drift(world: World, windows: int) -> dict[str, Any]:
    """How many windows of 500 to 2000 rows are said to have drifted, and in how many the tests alone would have said so of any size."""
    alarms, significant = 0, 0
    blamed: Counter[str] = Counter()
    for seed in range(windows):
        size = int(np.random.default_rng([seed, 1]).integers(min(SIZES), max(SIZES) + 1))
        known, window, _ = world.drawn(seed, size)
        found = world.judged(known, window)
        alarms += found["drifted"]
        blamed.update(f"{one['kind']}: {one['what']}" for one in found["moved"])
        parts = [*found["columns"].values(), found["scores"], *(column["missing"] for column in found["columns"].values())]
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


def table(result: dict[str, Any], found: list[Found]) -> str:
    """The result as a person reads it."""
    low, high = result["interval"]
    lines = [
        f"without drift: {result['false_alarms']} false alarms in {result['windows']} windows of {min(SIZES)} to {max(SIZES)} rows"
        f" (95 % interval {low:.2%} to {high:.2%}; accepted is {RULE.false_alarm_rate:.2%})",
        f"by the tests alone, however small the change: {result['tests_alone']} of {result['windows']}"
        f" ({result['tests_alone_interval'][0]:.2%} to {result['tests_alone_interval'][1]:.2%})",
        "",
        f"{'drift':44} {'rows':>6} {'found':>7} {'windows until found, mean':>26} {'at most':>8}",
    ]
    lines += [f"{one.drift:44} {one.rows:6} {one.found / one.trials:7.0%} {one.mean_windows:26.2f} {one.most_windows:8}" for one in found]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
