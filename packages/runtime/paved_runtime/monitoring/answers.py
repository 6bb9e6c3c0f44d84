"""The scores of captured answers, whichever task they are of, in JSON, JSON Lines and CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from paved_runtime.media_types import CSV, LINES
from paved_runtime.monitoring.bodies import Body
from paved_runtime.table import Values
from paved_runtime.tasks.task import Task

UNREADABLE = (ValueError, RecursionError, csv.Error, msgspec.MsgspecError)


class Score(msgspec.Struct, gc=False):
    """One row's answer, whatever else is said about it: the probability of an outcome, or a number."""

    score: float


class Scores(msgspec.Struct, gc=False):
    """One row's answer where there are classes: the probability of each."""

    scores: dict[str, float]


class Answers:
    """Reads answers of one task. Scores are as the task has them, and none is one that it may not give."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._shape = () if task.width is None else (task.width,)
        row: Any = Scores if self._shape else Score
        answer: Any = msgspec.defstruct("Answer", [("predictions", list[row])], gc=False)
        self._row, self._answer = msgspec.json.Decoder(row), msgspec.json.Decoder(answer)
        self._answers = msgspec.json.Decoder(list[answer])

    @property
    def none(self) -> Values:
        """The scores of no rows."""
        return np.empty((0, *self._shape))

    def read(self, body: Body) -> Values:
        """The scores of one answer. Raises UNREADABLE where it has none."""
        text, form = body.text, body.format
        if form == CSV:
            return self._accepted([self._cells(line) for line in text.split()])
        predictions = self._row.decode_lines(text) if form == LINES else self._answer.decode(text).predictions
        return self._accepted(self._values([predictions]))

    def together(self, texts: Sequence[str]) -> Values:
        """Those of many answers, each in JSON. Raises UNREADABLE where one of them has none."""
        answers = self._answers.decode(f"[{','.join(texts)}]")
        return self._accepted(self._values([answer.predictions for answer in answers]))

    def _cells(self, line: str) -> float | list[float]:
        return list(map(float, line.split(","))) if self._shape else float(line)

    def _values(self, answers: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """A number a row of all answers, or the numbers of the classes in the task's order."""
        if not self._shape:
            return [prediction.score for predictions in answers for prediction in predictions]
        rows = [prediction.scores for predictions in answers for prediction in predictions]
        if any(len(row) != self._task.width for row in rows):
            raise ValueError("an answer is about other classes")
        try:
            return list(map(itemgetter(*self._task.data.classes), rows))
        except KeyError as error:
            raise ValueError("an answer is about other classes") from error

    def _accepted(self, values: Sequence[Any]) -> Values:
        scores = np.array(values, dtype=np.float64).reshape(len(values), *self._shape)
        if self._task.refused(scores).any():
            raise ValueError(f"a score is no {self._task.answer}")
        return scores
