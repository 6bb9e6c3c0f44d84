"""What people are told of a model's worth, in the words of its task: names of metrics, and what each part of a page is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paved_runtime.page import figure
from paved_runtime.spec import HEADLINES, TaskName

LOG_ODDS, DEVIATIONS = "log-odds", "standard deviations of the scores"


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The words of one task.

    `problem` is the task in SageMaker's words, `metrics` has what each metric is called, those that decide first; `answer` is what a score
    is, `unit` that of reasons, `measure` that of their errors; `few` says which rows of a slice are counted to see whether they are enough,
    where that is not all of them. `worth` is the title of the part about metrics, and `asks` the question that it answers; `calibrated` is
    what the calibration gate asks, `calibration` what the part about it shows.
    """

    task: TaskName
    problem: str
    metrics: Mapping[str, str]
    answer: str
    unit: str
    measure: str
    few: str
    worth: str
    asks: str
    calibrated: str
    calibration: str

    @property
    def headline(self) -> str:
        """The key of the metric that floors are of."""
        return HEADLINES[self.task]

    @property
    def title(self) -> str:
        """What people call that metric, verdicts too."""
        return self.metrics[self.headline]

    def selection(self, fairness: Mapping[str, Any]) -> str:
        """Which rows are selected, and which are positive: a sentence. `fairness` is that of report.json."""
        if self.task == "multiclass":
            names = _any_of(fairness.get("selected") or [])
            return f"A row is selected when its most probable class is {names}, and positive when its class is in fact"
        threshold = figure(fairness["threshold"])
        if self.task == "regression":
            return f"A row is selected when its predicted number is at least {threshold}, and positive when the actual one is"
        return f"A row is selected when its score is at least {threshold}"

    def reasons(self, method: str, mean_error: float | None, largest_error: float | None) -> str:
        """How scores are explained, as a sentence; the errors are those of sampled reasons."""
        if method == "sampled":
            errors = f"{mean_error:.3g} on average and {largest_error:.3g} at most"
            return f"Reasons of scores are sampled: their standard errors are {errors}, in {self.measure}."
        return "Reasons of scores are exact." if method == "exact" else "This model gives no reasons of its scores."


BINARY = Wording(
    task="binary",
    problem="Binary Classification",
    metrics={
        "roc_auc": "ROC AUC",
        "average_precision": "average precision",
        "calibration_error": "calibration error",
        "brier": "Brier score",
        "log_loss": "log loss",
    },
    answer="the probability of the positive outcome",
    unit=LOG_ODDS,
    measure=LOG_ODDS,
    few="of the rarer outcome",
    worth="Ranking",
    asks="How well the score puts positive rows before negative ones",
    calibrated="A score means what it says: of the rows that score 0.2, two in ten turn out positive.",
    calibration="Whether a score can be read as a probability, and how the scores are spread.",
)
MULTICLASS = Wording(
    task="multiclass",
    problem="Multiclass Classification",
    metrics={
        "roc_auc": "mean ROC AUC",
        "accuracy": "accuracy",
        "f1": "F1, mean over classes",
        "calibration_error": "calibration error, worst class",
        "brier": "Brier score, all classes",
        "log_loss": "log loss",
    },
    answer="the probability of each class",
    unit=LOG_ODDS,
    measure=LOG_ODDS,
    few="of the second most frequent class",
    worth="Ranking",
    asks="How well the score of each class puts its rows before all others, and which class is taken for which",
    calibrated="A score means what it says: of the rows that score 0.2 for a class, two in ten turn out to be of it.",
    calibration="Whether the score of each class can be read as its probability, and how the scores are spread.",
)
REGRESSION = Wording(
    task="regression",
    problem="Regression",
    metrics={
        "r2": "R²",
        "rmse": "root mean squared error",
        "mae": "mean absolute error",
        "bias": "bias, in standard deviations",
        "calibration_error": "calibration error, in standard deviations",
    },
    answer="the predicted number, in the target's own unit",
    unit="the target's unit",
    measure=DEVIATIONS,
    few="",
    worth="Accuracy",
    asks="How near the predicted numbers come to the actual ones",
    calibrated="A prediction means what it says: rows predicted to be 100 are 100 on average, and so are all rows together.",
    calibration="Whether predictions of every size are right on average, and how they are spread.",
)
TASKS: Mapping[TaskName, Wording] = {wording.task: wording for wording in (BINARY, MULTICLASS, REGRESSION)}


def of(task: TaskName | None) -> Wording:
    """The words of a task; older evidence, all of two outcomes, names none."""
    return TASKS[task or "binary"]


def _any_of(names: Sequence[str]) -> str:
    """`low`, `low or medium`, `low, medium or high`."""
    *most, last = names or ["none"]
    return f"{', '.join(most)} or {last}" if most else last
