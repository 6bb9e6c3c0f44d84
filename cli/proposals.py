"""Gates for a model that is new: it is trained as the road would train it, over several splits; a bound is what was seen, and a margin.

So a proposed gate is one that the model passes, and a worse one would not. A person tightens it, or says why it may be lower.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.local_training import Training, Violations, sentence
from cli.outcomes import Amounts, Outcomes, Two
from cli.problem import Problem
from paved_runtime.spec import HEADLINES, TaskName

SPLITS = 5
SURE = 3  # standard deviations
NATURAL = 0.05  # share of rows that repeat another one, from which there simply are few different rows
LEAKS = {
    "missing leak": "which of its cells are empty tells the outcome (ROC AUC {}): filled only afterwards?",
    "leak": "it tells the outcome by itself (ROC AUC {}): known only afterwards?",
}
LEAST = 5000  # rows, at most: a demonstration with made-up ones must do
USUAL_ERROR = 0.05  # of sampled reasons: the contract's own


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A task's headline: what people call it, what knows nothing and what chance may give, and what is taken for a leak.

    `leak` is a ROC AUC that no honest column is likely to have alone, `pair_leak` one that two columns are not, `leaks` the greatest that
    is proposed for the two. One class may well be told by a column that is known in time, and so may which half of all numbers it is.
    """

    title: str
    nothing: str
    least: float
    chance: float
    worst_margin: float
    leak: float
    pair_leak: float
    leaks: tuple[float, float]


SCALES: Mapping[TaskName, Scale] = {
    "binary": Scale(
        title="ROC AUC",
        nothing="a coin has 0.5",
        least=0.5,
        chance=0.53,
        worst_margin=0.1,
        leak=0.9,
        pair_leak=0.95,
        leaks=(0.95, 0.97),
    ),
    "multiclass": Scale(
        title="mean ROC AUC",
        nothing="a coin has 0.5",
        least=0.5,
        chance=0.53,
        worst_margin=0.1,
        leak=0.99,
        pair_leak=0.999,
        leaks=(0.995, 0.9995),
    ),
    "regression": Scale(
        title="R²",
        nothing="the mean of all rows has 0",
        least=0.0,
        chance=0.02,
        worst_margin=0.2,
        leak=0.99,
        pair_leak=0.999,
        leaks=(0.995, 0.9995),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What `model.toml` is proposed to accept.

    `floor` and `suspicious` are of the task's headline, of which `seen` is the mean over the splits and its standard deviation. `usual` is
    between which the share of the positive outcome, that of each class, or the mean of the numbers lies. `bias` is a regression's.
    """

    floor: float
    suspicious: float
    calibration_error: float
    bias: float
    reasons_error: float
    champion_margin: float
    maximum_column_auc: float
    maximum_pair_auc: float
    maximum_duplicates: float
    usual: tuple[float, float]
    minimum_rows: int
    seen: tuple[float, float]
    calibration_error_seen: float
    bias_seen: float


def draft(outcomes: Outcomes) -> Gates:
    """Gates that nothing fails but a leak: what a model is tried with first."""
    scale = SCALES[outcomes.task]
    everything = (min(outcomes.numbers), max(outcomes.numbers)) if isinstance(outcomes, Amounts) else (0.0, 1.0)
    return Gates(
        floor=scale.least,
        suspicious=1,
        calibration_error=1,
        bias=1,
        reasons_error=USUAL_ERROR,
        champion_margin=0.01,
        maximum_column_auc=scale.leak,
        maximum_pair_auc=scale.pair_leak,
        maximum_duplicates=1,
        usual=everything,
        minimum_rows=1,
        seen=(scale.least, 0),
        calibration_error_seen=1,
        bias_seen=1,
    )


def leaks(error: Violations, file: Path) -> dict[str, str]:
    """Columns that tell the outcome by themselves, and why each is taken for a leak. Raises Problem when something else is wrong, too.

    Of two columns that tell it together, a person must say which is the leak.
    """
    others = [check for check in error.checks if check["rule"] not in LEAKS or not check["column"]]
    if others:
        raise Problem(f"data file {file}", "; ".join(map(sentence, others)), others[0]["advice"])
    return {check["column"]: LEAKS[check["rule"]].format(check["found"]) for check in error.checks}


def propose(trainings: Sequence[Training], outcomes: Outcomes, *, rows: int) -> Gates:
    """Gates of what was trained over several splits.

    Raises:
        Problem: the columns do not tell the outcome.
    """
    scale, headline = SCALES[outcomes.task], HEADLINES[outcomes.task]
    figures = [training.metrics[headline] for training in trainings]
    mean, spread = statistics.mean(figures), statistics.stdev(figures)
    if mean - spread < scale.chance:
        why = f"over {len(trainings)} splits the {scale.title} is {mean:.3f} ± {spread:.3f}, where {scale.nothing}"
        raise Problem("the columns do not tell the outcome", why, "give the data set columns that are known in time and bear on it")
    calibration = max(training.metrics["calibration_error"] for training in trainings)
    bias = max(abs(training.metrics.get("bias", 0)) for training in trainings)
    alone, paired = (_most(trainings, rule, least=0.5) for rule in ("leak", "pair leak"))
    repeated = _most(trainings, "duplicates", least=0.0)
    suspicious = min(1.0, _up(mean + max(SURE * spread, 0.05)))
    most_alone, most_paired = scale.leaks
    column_auc = min(most_alone, _up(alone + 0.05))
    as_all = suspicious if headline == "roc_auc" else 0.5  # two columns may tell as much as all of them
    return Gates(
        floor=max(scale.least, _down(mean - max(SURE * spread, 0.02))),
        suspicious=suspicious,
        calibration_error=min(1.0, max(0.05, _up(2 * calibration))),
        bias=min(1.0, max(0.05, _up(2 * bias))),
        reasons_error=max(USUAL_ERROR, _up(2 * _reasons_error(trainings))),
        champion_margin=min(scale.worst_margin, max(0.01, _up(spread))),
        maximum_column_auc=column_auc,
        maximum_pair_auc=max(column_auc, min(most_paired, max(_up(paired + 0.05), as_all))),
        maximum_duplicates=_up(2 * repeated + 0.01) if repeated < NATURAL else 1.0,
        usual=_usual(outcomes),
        minimum_rows=max(1, min(rows // 2, LEAST)),
        seen=(mean, spread),
        calibration_error_seen=calibration,
        bias_seen=bias,
    )


def _usual(outcomes: Outcomes) -> tuple[float, float]:
    """Half to twice the shares that were seen, or the mean of the numbers and half a standard deviation on either side."""
    if isinstance(outcomes, Amounts):
        low, high = (float(f"{outcomes.mean + part * outcomes.deviation:.4g}") for part in (-0.5, 0.5))
        return low, high
    shares = [outcomes.share] if isinstance(outcomes, Two) else list(outcomes.shares.values())
    least, most = min(shares), max(shares)
    return round(least / 2, 4), round(min(1 - (1 - most) / 2, 2 * most), 4)


def _reasons_error(trainings: Sequence[Training]) -> float:
    """The largest mean error of sampled reasons; 0 where they are exact."""
    return max(float((training.evaluation.get("reasons") or {}).get("mean_error") or 0) for training in trainings)


def _checks(trainings: Sequence[Training], rule: str) -> list[Mapping[str, Any]]:
    return [check for training in trainings for check in training.checks if check["rule"] == rule]


def _most(trainings: Sequence[Training], rule: str, *, least: float) -> float:
    """The largest figure that a rule's checks have found."""
    return max((float(check["found"].split()[0]) for check in _checks(trainings, rule)), default=least)


def _down(value: float) -> float:
    return math.floor(round(value, 6) * 100) / 100


def _up(value: float) -> float:
    return math.ceil(round(value, 6) * 100) / 100
