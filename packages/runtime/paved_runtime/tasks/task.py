"""What the road asks of a task, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paved_runtime import rules
from paved_runtime.differences import Difference
from paved_runtime.intervals import Interval
from paved_runtime.spec import HEADLINES, Data, Fairness, Gates, TaskName
from paved_runtime.table import Mask, Values
from paved_runtime.verdict import Verdict

CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A figure of a data set's labels as a whole, what is usual, and the key of `model.toml` that says so."""

    name: str
    value: float
    low: float
    high: float
    key: str


class Task(ABC):
    """A task of a model with `data`.

    Labels are float64 [rows], scores float64 [rows], or [rows, classes] where there is one of each class: what they are, the task says.
    Its `headline` is the metric of which floors and differences are: the more the better, 1 at most. `title` is what people call it.
    """

    name: ClassVar[TaskName]
    title: ClassVar[str]
    answer: ClassVar[str]  # what a score is, in an error: "probability"
    few: ClassVar[str]  # which rows `fewest` counts: "of the rarer outcome"

    def __init__(self, data: Data) -> None:
        self.data, self.rule = data, rules.target(data)

    @property
    def headline(self) -> str:
        """The name of the metric that floors are of."""
        return HEADLINES[self.name]

    @property
    def width(self) -> int | None:
        """How many scores a row has; None where it is one, and scores have no second axis."""
        return None

    # Labels

    @abstractmethod
    def strata(self, labels: Values) -> NDArray[np.intp]:
        """A number for each row: rows are parted so that each part has its share of every number."""

    @abstractmethod
    def events(self, labels: Values) -> Mapping[str, Mask]:
        """What could be told of a row's outcome, yes or no: by its name, the rows of which it is true."""

    @abstractmethod
    def counts(self, labels: Values) -> Mapping[str, int]:
        """How many rows there are of each outcome; nothing where outcomes are numbers."""

    @abstractmethod
    def rates(self, labels: Values) -> Sequence[Rate]:
        """What the labels are like as a whole, where `model.toml` says what is usual."""

    @abstractmethod
    def profile(self, labels: Values) -> dict[str, Any]:
        """What the labels are like, as data.json has it."""

    @abstractmethod
    def distribution(self, profile: Mapping[str, Any], labels: Values) -> tuple[Sequence[float], Sequence[float]] | None:
        """Counts of labels over the same bins, of those of a profile and of others; None where the profile is another task's."""

    # Scores

    @abstractmethod
    def refused(self, scores: Values) -> Mask:
        """The rows whose scores are none that a model of this task may give."""

    def scalar(self, scores: Values) -> Values:
        """One number a row, float64 [rows], by which scores are logged, and their drift is looked for."""
        return scores

    def outcome(self, scores: Values, name: str | None) -> Values:
        """One number a row, float64 [rows], at which tests of behaviour look: of classes the probability of the one of that name."""
        del name
        return scores

    # Worth

    @abstractmethod
    def metrics(self, labels: Values, scores: Values) -> dict[str, float]:
        """Every metric. At least two rows of two outcomes are needed."""

    @abstractmethod
    def intervals(self, labels: Values, scores: Values) -> dict[str, Interval]:
        """The 95 % interval of each metric, for rows drawn anew; none at all where there are too few rows."""

    @abstractmethod
    def fewest(self, labels: Values) -> int:
        """How many rows there are, at least, of two outcomes; of numbers, how many in all. 0 where nothing can be compared."""

    @abstractmethod
    def figure(self, labels: Values, scores: Values, least: int = 1) -> float | None:
        """The headline; None where `fewest` is below `least`. Outcomes with fewer rows than that are left out."""

    def rare(self, labels: Values, scores: Values, least: int) -> Mapping[str, tuple[int, float | None]]:
        """Of several outcomes, those with fewer rows than `least`: how many, and their own part of the headline where there are any."""
        del labels, scores, least
        return {}

    @abstractmethod
    def difference(self, labels: Values, challenger: Values, champion: Values, confidence: float, least: int = 1) -> Difference:
        """The headline of the challenger less the champion's, of rows of which `fewest` is not 0.

        Of several outcomes, those with fewer rows than `least` are left out where two remain: of so few no draw says how unsure they are.
        """

    @abstractmethod
    def calibration(self, labels: Values, scores: Values, gates: Gates) -> Iterator[Verdict]:
        """Whether scores are what they say."""

    @abstractmethod
    def selection(self, labels: Values, scores: Values, rule: Fairness) -> tuple[Mask, Mask]:
        """The rows that are selected, and those that are positive."""

    def errors(self, labels: Values, scores: Values) -> Values | None:
        """By how much each score is off, in standard deviations of the target, float64 [rows]; None where outcomes are no numbers."""
        del labels, scores
        return None

    @abstractmethod
    def drawn(self, labels: Values, scores: Values) -> dict[str, Any]:
        """What a page draws of scores, by name. `fewest` of the labels is not 0."""
