"""How often the champion's gate is wrong: candidates whose true worth is known are put before it, again and again.

The rows are parted. One part trains a champion and its challengers. The other, which no model has seen, is the whole world: in it, the true
difference of two models' headline (ROC AUC, of classes the mean over them, of numbers R²) is known, and held-out sets of the real size are
drawn from it, with replacement. Challengers are worse, equal or better by a given amount because just as much noise is mixed into their
scores, or into the champion's, as that takes; others are trained otherwise, and what they are worth is then what it is. The gate and the
margins are those of `model.toml`. Rows of another task than binary are made up.

A false accept lets pass what is worse than the margin. A false reject refuses what is equal or better. Between the two, either is right.

    ./road bench gates [--task binary|multiclass|regression] [--data FILE.csv] [--trials 100] [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench._sample import FOLDER, MODEL, REAL, examples
from paved_runtime import comparison, contract, frameworks, plugin, slices, spec, split, tasks
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import ModelSpec, TaskName
from paved_runtime.table import Examples, Table
from paved_runtime.train import constraints

TRAINED_ON = 0.4  # share of the rows; the others are the world
KNOWN = (-0.03, -0.02, -0.015, -0.0101, -0.005, 0.0, 0.005, 0.01)  # true differences that are made
MODELS: dict[TaskName, str] = {"binary": MODEL, "multiclass": "risk_grade", "regression": "claim_amount"}
WORSE_SLICE: dict[TaskName, dict[str, float]] = {
    "binary": {"age below 30": -0.1, "contact cellular": -0.06, "poutcome unknown": -0.06},
    "multiclass": {"region north": -0.06, "region east": -0.1},
    "regression": {"region north": -0.06, "region east": -0.1},
}
MADE = 36_000  # rows that are made up for another task
SAMPLED = {"subsample": 0.8}  # of the rows for each tree: without it, another seed is the same model
Values = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Pair:
    """Two models' scores of every row of the world, and by how much the challenger is truly better."""

    name: str
    challenger: Values
    champion: Values
    difference: float


@dataclass(frozen=True, kw_only=True)
class Count:
    """How a gate decided about one pair. `wrong` is None where either decision is right."""

    challenger: str
    true_difference: float
    trials: int
    accepted: int
    wrong: float | None


class World:
    """The rows that no model has seen, and models to score them."""

    def __init__(self, model: ModelSpec, examples: Examples) -> None:
        self.spec, self.task = model, tasks.of(model.data)
        rest, world = split.split(examples, self.task, share=1 - TRAINED_ON, seed=model.data.seed)
        self.rows, self.labels = world.table, world.labels
        self.size = round(len(examples) * model.data.holdout)
        self._features = plugin.features(model.name)
        self._learnt, self._matrix = rest, self._features.features(rest.table)

    def scores(self, *, share: float = 1.0, flipped: float = 0.0, **hyperparameters: float) -> Values:
        """What a model says that was trained on a share of the rows, a share of their labels wrong."""
        draw = np.random.default_rng(1)
        rows = np.flatnonzero(draw.random(len(self._learnt)) < share)
        labels = self._learnt.labels[rows]
        wrong = draw.random(len(rows)) < flipped
        labels = np.where(wrong, 1 - labels if self.task.name == "binary" else draw.permutation(labels), labels)
        run = TrainingRun(
            matrix=self._matrix[rows],
            labels=labels.astype(np.float32),
            task=self.task.name,
            classes=len(self.spec.data.classes),
            hyperparameters={**self.spec.training.hyperparameters, **SAMPLED, **hyperparameters},
            monotone=constraints(self._features.NAMES, self.spec.gates.behaviour),
        )
        model = plugin.training(self.spec.name).train(run)
        predicted = frameworks.of(self.spec).predict(model, self._features.features(self.rows))
        return np.asarray(predicted, dtype=np.float64)

    def worth(self, scores: Values, rows: NDArray[np.bool_] | None = None) -> float:
        """The true headline, in all rows or in some."""
        chosen = slice(None) if rows is None else rows
        figure: float | None = self.task.figure(self.labels[chosen], scores[chosen])
        assert figure is not None
        return figure

    def damaged(self, scores: Values, wanted: float, rows: NDArray[np.bool_] | None = None) -> Values:
        """The same scores with just enough noise for the given headline in these rows."""
        every = np.ones(len(scores)) if rows is None else rows
        noise = (np.random.default_rng(2).normal(size=scores.shape).T * every).T
        low, high = 0.0, 20.0
        for _ in range(40):
            middle = (low + high) / 2
            enough = self.worth(self._noisy(scores, middle * noise), rows) <= wanted
            low, high = (low, middle) if enough else (middle, high)
        return self._noisy(scores, high * noise)

    def _noisy(self, scores: Values, noise: Values) -> Values:
        """Noise in log-odds, of several probabilities in their logarithms, of numbers in standard deviations."""
        if self.task.name == "regression":
            return np.asarray(scores + noise * self.labels.std())
        if self.task.name == "binary":
            return np.asarray(1 / (1 + np.exp(-np.log(scores / (1 - scores)) - noise)))
        powers = np.exp(np.log(scores) + noise)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def draw(self, seed: int) -> Rows:
        """A held-out set of the real size, and of the real rates of outcomes: rows drawn with replacement."""
        draw, strata = np.random.default_rng(seed), self.task.strata(self.labels)
        *others, last = (np.flatnonzero(strata == stratum) for stratum in np.unique(strata)[::-1])
        drawn = [draw.choice(rows, round(self.size * len(rows) / len(strata))) for rows in others]
        return np.concatenate([*drawn, draw.choice(last, self.size - sum(map(len, drawn)))])

    def holdout(self, pair: Pair, seed: int) -> Holdout:
        """What the gates would be given."""
        rows = self.draw(seed)
        champion = Champion(model_package_arn="", reason="", scores=pair.champion[rows])
        table = Table(self.rows.positions, self.rows.values[rows])
        return Holdout(task=self.task, table=table, labels=self.labels[rows], challenger=pair.challenger[rows], champion=champion)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", choices=MODELS, default="binary")
    parser.add_argument("--data", type=Path, default=REAL, help="a CSV of the sample's contract; without it ROAD_REAL_DATA, else made up")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    model = spec.load(MODELS[arguments.task])
    file, rule = arguments.data if arguments.task == "binary" else None, model.gates.champion
    world = World(model, rows_of(model, file))
    say(f"{len(world.labels)} rows that no model has seen; held-out sets of {world.size} rows; {arguments.trials} trials each")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), initializer=_share, initargs=(world,)) as pool:
        overall = [_counted(pool, "overall", pair, -rule.margin, arguments.trials) for pair in pairs(world)]
        per_slice = [_counted(pool, "slices", pair, -rule.slice_margin, arguments.trials // 4) for pair in sliced(world)]
    result = {
        "task": model.task,
        "headline": world.task.title,
        "data": str(file or "synthetic"),
        "held_out_rows": world.size,
        "margin": rule.margin,
        "slice_margin": rule.slice_margin,
        "confidence": rule.confidence,
        "overall": [asdict(count) for count in overall],
        "slices": [asdict(count) for count in per_slice],
        "false_accepts": _share_wrong(overall, -rule.margin, worse=True),
        "false_rejects": _share_wrong(overall, 0.0, worse=False),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(result) if arguments.json else table(result, overall, per_slice))


def rows_of(model: ModelSpec, file: Path | None) -> Examples:
    """The sample's rows of a file or made up, those of another model made up."""
    if model.task == "binary":
        return examples(file)
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "data.csv", runpy.run_path(str(FOLDER.parent / "task_rows.py"))["made"](model.task, MADE, seed=7))
        return contract.read(Path(folder), model.data)


def _write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def pairs(world: World) -> Iterator[Pair]:
    """Challengers by amounts that are made, then challengers that are trained otherwise."""
    champion, again = world.scores(), world.scores(seed=1)
    best = min(world.worth(champion), world.worth(again))
    for wanted in KNOWN:
        theirs = world.damaged(champion, best - max(wanted, 0))
        ours = world.damaged(again, world.worth(theirs) + wanted)
        yield _pair(world, "retrained, scores made noisy", ours, theirs)
    yield _pair(world, "the same scores", champion, champion)
    yield _pair(world, "another seed", again, champion)
    yield _pair(world, "a quarter of the rows", world.scores(share=0.25), champion)
    yield _pair(world, "trees of depth 2", world.scores(max_depth=2), champion)
    yield _pair(world, "10 % of the labels wrong", world.scores(flipped=0.1), champion)
    yield _pair(world, "30 % of the labels wrong", world.scores(flipped=0.3), champion)
    yield _pair(world, "against one of a quarter of the rows", champion, world.scores(share=0.25))


def sliced(world: World) -> Iterator[Pair]:
    """An equal challenger, and challengers that are worse in one slice. `difference` is the slice's."""
    champion, again = world.scores(), world.scores(seed=1)
    yield Pair("another seed, in every slice", again, champion, 0.0)
    assert world.spec.gates.slices is not None
    parts = {str(group): group.rows for group in slices.groups(world.rows, world.spec.data, world.spec.gates.slices.by)}
    for name, worse in WORSE_SLICE[world.task.name].items():
        rows = parts[name]
        ours = world.damaged(again, world.worth(champion, rows) + worse, rows)
        yield Pair(f"worse in {name}", ours, champion, world.worth(ours, rows) - world.worth(champion, rows))


def overall(world: World, pair: Pair, seed: int) -> bool:
    """Whether the gate over all rows accepts."""
    given = world.holdout(pair, seed)
    rule = world.spec.gates.champion
    return comparison.judge(given, comparison.between(given, np.ones(len(given), dtype=np.bool_), rule.confidence), rule).passed is True


def by_slice(world: World, pair: Pair, seed: int) -> bool:
    """Whether no slice is refused because of the champion."""
    given = world.holdout(pair, seed)
    verdicts = slices.judge(slices.measure(given, world.spec.data, world.spec.gates), given, world.spec.gates)
    return all(verdict.passed is not False for verdict in verdicts if verdict.gate == comparison.GATE)


GATES = {"overall": overall, "slices": by_slice}
SHARED: list[World] = []


def _share(world: World) -> None:
    SHARED.append(world)


def _trial(gate: str, pair: Pair, seed: int) -> bool:
    return GATES[gate](SHARED[0], pair, seed)


def _counted(pool: ProcessPoolExecutor, gate: str, pair: Pair, margin: float, trials: int) -> Count:
    accepted = sum(pool.map(partial(_trial, gate, pair), range(trials), chunksize=10))
    wrong = accepted if pair.difference < margin else trials - accepted if pair.difference >= 0 else None
    say(f"{gate}: {pair.name}, truly {pair.difference:+.4f}: accepted {accepted} of {trials}")
    return Count(
        challenger=pair.name,
        true_difference=round(pair.difference, 5),
        trials=trials,
        accepted=accepted,
        wrong=None if wrong is None else wrong / trials,
    )


def _pair(world: World, name: str, challenger: Values, champion: Values) -> Pair:
    difference = world.worth(challenger) - world.worth(champion)
    return Pair(name, challenger, champion, round(difference, 6) + 0.0)  # what was made equal is


def _share_wrong(counts: list[Count], border: float, *, worse: bool) -> dict[str, float]:
    """False accepts among what is worse than the border, or false rejects among the rest."""
    judged = [count for count in counts if (count.true_difference < border) == worse]
    trials = sum(count.trials for count in judged)
    wrong = sum(count.accepted if worse else count.trials - count.accepted for count in judged)
    return {"trials": trials, "wrong": wrong, "share": wrong / trials}


def table(result: dict[str, object], overall: list[Count], per_slice: list[Count]) -> str:
    """The result as a person reads it."""
    lines = [f"{'challenger':40} {'true difference':>15} {'accepted':>9}   error"]
    for counts, margin in ((overall, result["margin"]), (per_slice, result["slice_margin"])):
        lines.append(
            f"-- {result['headline']}, margin {margin}, {'all rows' if counts is overall else 'slices'}; {counts[0].trials} trials each"
        )
        for count in sorted(counts, key=lambda count: count.true_difference):
            kind = "false rejects" if count.true_difference >= 0 else "false accepts"
            error = "" if count.wrong is None else f"{count.wrong:.1%} {kind}"
            lines.append(f"{count.challenger:40} {count.true_difference:+15.4f} {count.accepted / count.trials:9.1%}   {error}")
    for kind in ("false_accepts", "false_rejects"):
        total = result[kind]
        assert isinstance(total, dict)
        lines.append(f"{kind.replace('_', ' ')}: {total['wrong']} of {total['trials']} ({total['share']:.2%})")
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
