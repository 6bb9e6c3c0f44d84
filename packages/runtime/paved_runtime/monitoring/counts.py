"""What a window held, in whole numbers: they add up, so that several machines may count a part each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np

from paved_runtime.monitoring.baseline import Baseline, predicted
from paved_runtime.monitoring.baseline import Counts as Cells
from paved_runtime.monitoring.labels import Joined
from paved_runtime.monitoring.request_log import Reading
from paved_runtime.monitoring.window import Window

VERSION = 2


@dataclass
class Counts:
    """The window's requests, rows and cells.

    `totals` has `requests`, `failed` and `unreadable` ones, `malformed` lines, `own` requests of the road, rows of a `batch`, `objects` and
    `unreadable_objects`, `rows`, and those `broken` that break the contract; `broken` and `missing` are cells by column, `columns`,
    `scores` and, where there are classes, `predicted` the counts on the scales of the baseline.
    """

    window: Window
    columns: dict[str, Cells]
    scores: Cells
    predicted: Cells
    joined: Joined
    totals: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)

    @classmethod
    def none(cls, window: Window, baseline: Baseline, joined: Joined | None = None) -> Self:
        """Nothing counted yet."""
        columns = {name: np.zeros_like(column.counts) for name, column in baseline.columns.items()}
        scores, predicted = (np.zeros_like(part.counts) for part in (baseline.scores, baseline.predicted))
        return cls(window, columns, scores, predicted, joined or Joined())

    def add(self, reading: Reading, baseline: Baseline, *, batch: bool = False) -> None:
        """Count some requests, or rows that a `batch` scored: nobody asked about these, and which have no score is in its results."""
        table = reading.table
        refused = np.isinf(table.values)
        if batch:
            self.totals.update(batch=reading.requests)
        else:
            self.totals.update(requests=reading.requests, failed=reading.failed, unreadable=reading.unreadable)
        self.totals.update(rows=len(table), broken=int(refused.any(axis=1).sum()))
        for name, position in table.positions.items():
            column = baseline.columns[name]
            self.columns[name] += column.scale.count(table[name])
            self.broken[name] += int(refused[:, position].sum())
            self.missing[name] += int(np.isnan(table[name]).sum())
        self.scores += baseline.scores.scale.count(baseline.task.scalar(reading.scores))
        self.predicted += baseline.predicted.scale.count(predicted(reading.scores))

    def merge(self, other: Self) -> None:
        """Add what another machine has counted. Machines look at the clock one after the other: the window is what they saw together."""
        self.window = Window(min(self.window.start, other.window.start), max(self.window.end, other.window.end))
        for name, counts in other.columns.items():
            self.columns[name] += counts
        self.scores += other.scores
        self.predicted += other.predicted
        self.totals.update(other.totals)
        self.broken.update(other.broken)
        self.missing.update(other.missing)
        self.joined.merge(other.joined)

    def as_json(self) -> dict[str, Any]:
        """For another machine."""
        return {
            "version": VERSION,
            "window": {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()},
            "columns": {name: counts.tolist() for name, counts in self.columns.items()},
            "scores": self.scores.tolist(),
            "predicted": self.predicted.tolist(),
            "totals": dict(self.totals),
            "broken": dict(self.broken),
            "missing": dict(self.missing),
            "joined": self.joined.as_json(),
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """What another machine wrote."""
        scores, predicted = (np.array(content[name], dtype=np.int64) for name in ("scores", "predicted"))
        return cls(
            Window(*(datetime.fromisoformat(content["window"][end]) for end in ("start", "end"))),
            {name: np.array(counts, dtype=np.int64) for name, counts in content["columns"].items()},
            scores,
            predicted,
            Joined.of(content["joined"]),
            *(Counter(content[name]) for name in ("totals", "broken", "missing")),
        )
