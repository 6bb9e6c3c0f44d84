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

from paved_runtime.monitoring.answers import UNREADABLE, Answers
from paved_runtime.monitoring.request_log import AnswerEntry
from paved_runtime.rules import TargetRule
from paved_runtime.table import Values

HEADER = ["inference_id", "label"]
Score = float | list[float]  # of one row: a number, or that of each class
Pair = tuple[str, Score, float]


@dataclass
class Joined:
    """Rows with a label: those that say no outcome are `malformed`, those with a score are in `pairs`.

    A pair is when the row was scored, its score and its label, as their task has them. Of a row scored twice the later score counts.
    """

    labels: int = 0
    malformed: int = 0
    pairs: dict[str, Pair] = field(default_factory=dict)

    @property
    def unknown(self) -> int:
        """Labels of rows whose score was not captured: of another version, of too long ago, or of no row at all."""
        return self.labels - len(self.pairs)

    @property
    def rows(self) -> tuple[Values, Values]:
        """The labels, float64 [rows], and the scores, float64 [rows] or [rows, classes]; in an order that depends on them alone."""
        pairs = sorted((score, label) for _, score, label in self.pairs.values())
        return np.array([label for _, label in pairs], dtype=np.float64), np.array([score for score, _ in pairs], dtype=np.float64)

    def add(self, name: str, pair: Pair) -> None:
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
        pairs = {name: (time, score, label) for name, (time, score, label) in content["pairs"].items()}
        return cls(content["labels"], content["malformed"], pairs)


@dataclass(frozen=True)
class Labels:
    """What rows turned out to be, by their names: labels as their task has them, and how many lines say something that is no outcome."""

    known: Mapping[str, float]
    malformed: int = 0

    @classmethod
    def read(cls, files: Iterable[Iterable[str]], rule: TargetRule) -> Self:
        """CSV files with the header `inference_id,label`, the oldest first: a later label takes the place of an earlier one.

        A label that `rule` does not accept is none: an earlier one of the row stays.
        """
        labels: dict[str, float] = {}
        malformed = 0
        for file in files:
            rows = _rows(file)
            if next(rows, []) != HEADER:
                malformed += 1 + sum(1 for _ in rows)
            for cells in rows:
                if len(cells) == len(HEADER) and cells[0] and rule.accepts(cells[1]):
                    labels[cells[0]] = rule.label(cells[1])
                else:
                    malformed += 1
        return cls(labels, malformed)

    def join(self, entries: Iterable[AnswerEntry], answers: Answers, joined: Joined) -> None:
        """Note the scores of every row that has a label."""
        requests = {name.rpartition("/")[0] for name in self.known}.union(self.known)
        for entry in entries:
            event, answer = entry.eventMetadata, entry.captureData.endpointOutput
            if answer is None or event.name not in requests:
                continue
            try:
                scores = answers.read(answer).tolist()
            except UNREADABLE:
                continue  # counted among the failed requests where the window is read
            names = [event.name] if len(scores) == 1 else [f"{event.name}/{row}" for row in range(len(scores))]
            for name, score in zip(names, scores, strict=True):
                if name in self.known:
                    joined.add(name, (event.inferenceTime, score, self.known[name]))


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
