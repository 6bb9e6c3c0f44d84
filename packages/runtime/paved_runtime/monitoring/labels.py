"""What rows turned out to be, often days later: labels, joined with the scores that were captured of the same rows.

A label names its row by the inference id of the request: `id` where it had one row, `id/0`, `id/1`, … where it had several. Only rows
that have a label are kept in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from paved_runtime.monitoring.request_log import UNREADABLE, AnswerEntry, scores
from paved_runtime.rules import TargetRule
from paved_runtime.table import Mask, Values

HEADER = ["inference_id", "label"]


@dataclass
class Joined:
    """Rows with a label: those that say neither outcome are `malformed`, those with a score are in `pairs`.

    A pair is when the row was scored, the score, and whether the row turned out positive. Of a row scored twice the later score counts.
    """

    labels: int = 0
    malformed: int = 0
    pairs: dict[str, tuple[str, float, bool]] = field(default_factory=dict)

    @property
    def unknown(self) -> int:
        """Labels of rows whose score was not captured: of another version, of too long ago, or of no row at all."""
        return self.labels - len(self.pairs)

    @property
    def outcomes(self) -> tuple[Mask, Values]:
        """Which rows turned out positive, bool [rows], and their scores, float64 [rows]; in an order that depends on them alone."""
        pairs = sorted((score, positive) for _, score, positive in self.pairs.values())
        scores, outcomes = (np.array(part) for part in zip(*pairs, strict=True)) if pairs else (np.empty(0), np.empty(0))
        return outcomes.astype(np.bool_), scores.astype(np.float64)

    def add(self, name: str, pair: tuple[str, float, bool]) -> None:
        """Note one scored row."""
        self.pairs[name] = max(pair, self.pairs.get(name, pair))

    def merge(self, other: Self) -> None:
        """Add what another machine has joined; every machine has read the same labels."""
        self.labels, self.malformed = max(self.labels, other.labels), max(self.malformed, other.malformed)
        for name, pair in other.pairs.items():
            self.add(name, pair)

    def as_json(self) -> dict[str, Any]:
        """For another machine."""
        return {"labels": self.labels, "malformed": self.malformed, "pairs": self.pairs}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """What another machine wrote."""
        pairs = {name: (time, score, positive) for name, (time, score, positive) in content["pairs"].items()}
        return cls(content["labels"], content["malformed"], pairs)


@dataclass(frozen=True)
class Labels:
    """What rows turned out to be, by their names, and how many lines say something that is no outcome."""

    positive: Mapping[str, bool]
    malformed: int = 0

    @classmethod
    def read(cls, files: Iterable[Iterable[str]], rule: TargetRule) -> Self:
        """CSV files with the header `inference_id,label`, the oldest first: a later label takes the place of an earlier one.

        A label that is neither of the two outcomes, spelt exactly so, is none: an earlier one of the row stays.
        """
        labels: dict[str, bool] = {}
        malformed = 0
        for file in files:
            rows = _rows(file)
            if next(rows, []) != HEADER:
                malformed += 1 + sum(1 for _ in rows)
            for cells in rows:
                if len(cells) == len(HEADER) and cells[0] and rule.accepts(cells[1]):
                    labels[cells[0]] = rule.label(cells[1]) == 1
                else:
                    malformed += 1
        return cls(labels, malformed)

    def join(self, entries: Iterable[AnswerEntry], joined: Joined) -> None:
        """Note the scores of every row that has a label."""
        requests = {name.rpartition("/")[0] for name in self.positive}.union(self.positive)
        for entry in entries:
            event, answer = entry.eventMetadata, entry.captureData.endpointOutput
            if answer is None or event.name not in requests:
                continue
            try:
                answered = scores(answer).tolist()
            except UNREADABLE:
                continue  # counted among the failed requests where the window is read
            names = [event.name] if len(answered) == 1 else [f"{event.name}/{row}" for row in range(len(answered))]
            for name, score in zip(names, answered, strict=True):
                if name in self.positive and 0 <= score <= 1:
                    joined.add(name, (event.inferenceTime, score, self.positive[name]))


def _rows(file: Iterable[str]) -> Iterator[list[str]]:
    """The cells of each line, none where it is no CSV."""
    rows = csv.reader(file)
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield []
