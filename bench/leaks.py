"""How often the checks for leaks are wrong: data sets whose truth is known are put before them, again and again.

Honest ones are drawn anew each time: a hundred to twenty thousand rows, two to thirty columns of several kinds, an outcome that follows
from half of them and from a product of two, and in four columns of ten cells that are empty, by chance or up to half as often again for
one outcome. A false alarm is any check that refuses one. The others are the same, of two thousand rows or more, with one leak planted;
what no check refuses is missed. The limits are the defaults of `model.toml`.

    ./road bench leaks [--data FILE.csv] [--trials 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench._sample import MODEL, REAL
from paved_runtime import contract, quality, spec, split, testing
from paved_runtime.contract import Check
from paved_runtime.digests import combined
from paved_runtime.spec import Data, Number
from paved_runtime.table import Examples, Table

HONEST, PLANTED_IN = (100, 20_000), (2000, 20_000)  # rows
LEAKS = ("leak", "pair leak", "missing leak")
Values = NDArray[np.float64]
Draw = np.random.Generator


@dataclass(frozen=True)
class World:
    """One data set: `values` float64 [rows, columns], `outcome` bool [rows]."""

    values: Values
    outcome: NDArray[np.bool_]

    def refused(self) -> list[Check]:
        """The checks for leaks that refuse it."""
        names = [f"c{place}" for place in range(self.values.shape[1])]
        column = Number(type="number", minimum=-1e12, maximum=1e12, missing=1)
        data = Data(target="y", positive="1", negative="0", minimum_rows=1, holdout=0.2, columns=dict.fromkeys(names, column))
        labels = self.outcome.astype(np.float32)
        digests = combined(np.column_stack([self.values, labels]).view(np.uint64).T)
        return _refused(Examples(Table({name: place for place, name in enumerate(names)}, self.values), labels, digests), data)


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many data sets of a kind were refused, and by which checks."""

    kind: str
    trials: int
    refused: int
    rules: dict[str, int]


def honest(draw: Draw, rows: tuple[int, int]) -> World:
    """A data set without a leak."""
    share = draw.uniform(0.03, 0.5)
    count = max(int(np.exp(draw.uniform(*np.log(rows)))), int(60 / share))
    columns = int(draw.integers(2, 31))
    values = draw.normal(size=(count, columns))
    values = np.column_stack([_kinds(draw)[draw.integers(4)](values[:, place]) for place in range(columns)])
    scaled = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    signal = scaled @ (draw.normal(size=columns) * (draw.random(columns) < 0.5)) + scaled[:, 0] * scaled[:, 1] * draw.normal()
    noisy = signal / max(signal.std(), 1e-9) * draw.uniform(0, 3) + draw.logistic(size=count)
    outcome = noisy > np.quantile(noisy, 1 - share)
    for place in np.flatnonzero(draw.random(columns) < 0.4):
        base, more = draw.uniform(0.002, 0.5), draw.choice([1, draw.uniform(1, 1.5)])
        values[draw.random(count) < np.where(outcome == (draw.random() < 0.5), base * more, base), place] = np.nan
    return World(values, outcome)


def _kinds(draw: Draw) -> tuple[Callable[[Values], Values], ...]:
    """Real numbers, whole ones, amounts, codes that say nothing."""
    codes = int(draw.integers(2, 40))
    return (
        lambda values: values,
        lambda values: np.asarray(values.round() + 0.0),
        lambda values: np.asarray(np.exp(values).round(2)),
        lambda values: draw.integers(0, codes, len(values)).astype(np.float64),
    )


def copied(world: World, draw: Draw) -> World:
    """The outcome, right in 97 of 100 rows, as a number with noise."""
    told = world.outcome != (draw.random(len(world.outcome)) < 0.03)
    return _with(world, told + 0.1 * draw.normal(size=len(told)))


def banded(world: World, draw: Draw) -> World:
    """The outcome is in which of a hundred bands a number is, even or odd."""
    return _with(world, 2 * draw.integers(0, 50, len(world.outcome)) + world.outcome + 0.9 * draw.random(len(world.outcome)))


def paired(world: World, draw: Draw) -> World:
    """Two numbers whose signs agree if the outcome is positive, but for 2 rows of 100."""
    rows = len(world.outcome)
    agree = world.outcome != (draw.random(rows) < 0.02)
    one = draw.normal(size=rows)
    return _with(_with(world, one), np.abs(draw.normal(size=rows)) * np.sign(one) * np.where(agree, 1, -1))


def emptied(share: float) -> Callable[[World, Draw], World]:
    """A column of noise in which a share of one outcome's cells are empty, none of the other's."""

    def plant(world: World, draw: Draw) -> World:
        empty = ~world.outcome & (draw.random(len(world.outcome)) < share)
        return _with(world, np.where(empty, np.nan, draw.normal(size=len(empty))))

    return plant


PLANTED: dict[str, Callable[[World, Draw], World]] = {
    "a copy of the outcome, 3 % wrong": copied,
    "a hundred bands": banded,
    "two columns together, 2 % wrong": paired,
    "45 % of one outcome's cells empty": emptied(0.45),
    "20 % of one outcome's cells empty": emptied(0.2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=REAL, help="a CSV of the sample's contract; without it ROAD_REAL_DATA, else made up")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    counts = [_counted("honest", arguments.trials, HONEST, lambda world, _: world)]
    counts += [_counted(kind, arguments.trials, PLANTED_IN, plant) for kind, plant in PLANTED.items()]
    result = {
        "sample": _sample(arguments.data),
        "counts": [asdict(count) for count in counts],
        "hundred_columns_seconds": _hundred_columns(),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(result) if arguments.json else table(result, counts))


def _sample(file: Path | None) -> dict[str, Any]:
    """Time and answer for the sample's own data, under its own limits."""
    data = spec.load(MODEL).data
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            testing.synthetic(MODEL, Path(folder) / "data.csv", rows=45_000, seed=7)
        else:
            shutil.copy(file, Path(folder) / "data.csv")
        examples = contract.read(Path(folder), data)
    began = time.monotonic()
    refused = _refused(examples, data)
    seconds = round(time.monotonic() - began, 2)
    return {"data": str(file or "synthetic"), "rows": len(examples), "refused": [str(check) for check in refused], "seconds": seconds}


def _hundred_columns() -> float:
    """Seconds for 45,000 rows of a hundred columns."""
    draw = np.random.default_rng(0)
    world = World(draw.normal(size=(45_000, 100)), draw.random(45_000) < 0.12)
    began = time.monotonic()
    world.refused()
    return round(time.monotonic() - began, 2)


def _counted(kind: str, trials: int, rows: tuple[int, int], plant: Callable[[World, Draw], World]) -> Count:
    rules: dict[str, int] = {}
    refused = 0
    for seed in range(trials):
        draw = np.random.default_rng(seed)
        broken = {check.rule for check in plant(honest(draw, rows), draw).refused()}
        refused += bool(broken)
        rules |= {rule: rules.get(rule, 0) + 1 for rule in broken}
    print(f"{kind}: refused {refused} of {trials}", file=sys.stderr, flush=True)
    return Count(kind=kind, trials=trials, refused=refused, rules=rules)


def _refused(examples: Examples, data: Data) -> list[Check]:
    judged = quality.checks(examples, data, split.order(examples.digests, seed=data.seed))
    return [check for check in judged if check.rule in LEAKS and not check.passed]


def _with(world: World, column: Values) -> World:
    return World(np.column_stack([world.values, column]), world.outcome)


def table(result: dict[str, Any], counts: list[Count]) -> str:
    """The result as a person reads it."""
    lines = [f"{'data sets':40} {'refused':>9}   by"]
    for count in counts:
        rules = ", ".join(f"{rule} {times}" for rule, times in sorted(count.rules.items()))
        lines.append(f"{count.kind:40} {count.refused / count.trials:9.1%}   {rules}")
    sample = result["sample"]
    lines.append(f"{sample['data']}, {sample['rows']} rows: {len(sample['refused'])} refused, in {sample['seconds']} s")
    lines.append(f"45,000 rows of a hundred columns: {result['hundred_columns_seconds']} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
