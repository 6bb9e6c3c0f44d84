"""Every gate that can be judged before anything is deployed, in the order in which a person would ask. The live ones are staging's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime import behaviour, comparison, fairness, plausibility, reasons, slices
from paved_runtime.behaviour import Outcome
from paved_runtime.differences import Difference
from paved_runtime.fairness import Treatment
from paved_runtime.holdout import Holdout
from paved_runtime.intervals import Interval
from paved_runtime.reasons import Reasons
from paved_runtime.slices import Slice
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Table, Values
from paved_runtime.verdict import Verdict, at_least, at_most, reported

Rows = NDArray[np.intp]
TRIED = 500  # rows on which behaviour and reasons are tried; sampled reasons, which take their time, on fewer of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was measured on the held-out rows. `data` is data.json's content."""

    spec: ModelSpec
    holdout: Holdout
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    difference: Difference | None
    slices: Sequence[Slice]
    treatments: Sequence[Treatment]
    behaviour: Sequence[Outcome]
    reasons: Reasons | None
    data: Mapping[str, Any]


def examine(
    spec: ModelSpec, holdout: Holdout, data: Mapping[str, Any], score: Callable[[Table], Values], explain: Callable[[Table], Reasons | None]
) -> Findings:
    """Measure everything that `model.toml` asks for.

    Raises ArithmeticError where the challenger's answer to a row is none of its task, or the rows have one outcome only.
    """
    task = holdout.task
    if wrong := int(task.refused(holdout.challenger).sum()):
        raise ArithmeticError(
            f"{wrong} of {len(holdout)} held-out rows get a score that is no {task.answer}: see what the features do with them"
        )
    if not task.fewest(holdout.labels):
        raise ArithmeticError("all held-out rows have the same outcome: no figure says anything then; hold out more rows (data.holdout)")
    tried = some(holdout.table, TRIED)
    gates = spec.gates

    def outcome(table: Table) -> Values:
        return task.outcome(score(table), gates.behaviour.outcome)

    return Findings(
        spec=spec,
        holdout=holdout,
        metrics=task.metrics(holdout.labels, holdout.challenger),
        intervals=task.intervals(holdout.labels, holdout.challenger),
        difference=comparison.between(holdout, np.ones(len(holdout), dtype=np.bool_), gates.champion.confidence),
        slices=slices.measure(holdout, spec.data, gates),
        treatments=fairness.measure(holdout, spec.data, gates.fairness) if gates.fairness else [],
        behaviour=list(behaviour.examine(tried, spec.data, gates.behaviour, outcome)),
        reasons=explain(tried),
        data=data,
    )


def verdicts(findings: Findings) -> Iterator[Verdict]:
    """Every gate's verdicts."""
    gates, holdout = findings.spec.gates, findings.holdout
    task = holdout.task
    yield _data(findings.data)
    advice = f"the model is too bad: look at its features, hyperparameters and data before the floor gates.{task.headline}"
    yield at_least("floor", task.title, findings.metrics[task.headline], gates.floor, advice=advice)
    yield from _rare(holdout)
    yield from task.calibration(holdout.labels, holdout.challenger, gates)
    yield comparison.judge(findings.holdout, findings.difference, gates.champion)
    yield from plausibility.judge(findings.metrics[task.headline], findings.holdout, findings.difference, findings.reasons, gates)
    yield from slices.judge(findings.slices, findings.holdout, gates)
    if gates.fairness:
        yield from fairness.judge(findings.treatments, gates.fairness)
    yield from (outcome.verdict for outcome in findings.behaviour)
    yield from reasons.judge(findings.reasons, gates.reasons_error)


def sample(rows: int, size: int) -> Rows:
    """`size` of `rows` rows, or all of them if there are fewer, evenly spaced: held-out rows come in an order that says nothing."""
    return np.linspace(0, rows - 1, min(rows, size)).astype(np.intp)


def some(table: Table, size: int) -> Table:
    """`size` rows of a table, chosen as `sample` does, or all of them."""
    return table.take(sample(len(table), size))


def _rare(holdout: Holdout) -> Iterator[Verdict]:
    """Which outcomes are too rare to say how well they are told, where there are several."""
    task = holdout.task
    for name, (rows, figure) in task.rare(holdout.labels, holdout.challenger, comparison.OUTCOMES).items():
        why = f"of it there are {rows} held-out rows: from {comparison.OUTCOMES} on it counts in the comparison with the champion"
        yield reported("floor", f"{name}: ROC AUC against the others", figure, why=f"{why}; hold out more rows (data.holdout)")


def _data(data: Mapping[str, Any]) -> Verdict:
    checks = data["checks"]
    broken = [f"{check['column']} {check['rule']}" for check in checks if not check["passed"]]
    advice = f"preparation has refused these data, or checked nothing ({', '.join(broken[:5])}): train on data that keep the contract"
    return at_most("data contract", f"checks that fail, of {len(checks)}", len(broken) if checks else np.nan, 0, advice=advice)
