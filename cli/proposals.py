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
from cli.problem import Problem

SPLITS = 5
COIN = 0.53  # a ROC AUC that chance may give
LEAK = 0.9  # and one that no honest column is likely to have alone
PAIRS_LEAK = 0.95  # nor two columns together
SURE = 3  # standard deviations
NATURAL = 0.05  # share of rows that repeat another one, from which there simply are few different rows
LEAKS = {
    "missing leak": "which of its cells are empty tells the outcome (ROC AUC {}): filled only afterwards?",
    "leak": "it tells the outcome by itself (ROC AUC {}): known only afterwards?",
}
LEAST = 5000  # rows, at most: a demonstration with made-up ones must do


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What `model.toml` is proposed to accept. `roc_auc_seen` is the mean over the splits and its standard deviation."""

    roc_auc: float
    calibration_error: float
    champion_margin: float
    suspicious_roc_auc: float
    maximum_column_auc: float
    maximum_pair_auc: float
    maximum_duplicates: float
    positive_share: tuple[float, float]
    minimum_rows: int
    roc_auc_seen: tuple[float, float]
    calibration_error_seen: float


def leaks(error: Violations, file: Path) -> dict[str, str]:
    """Columns that tell the outcome by themselves, and why each is taken for a leak. Raises Problem when something else is wrong, too.

    Of two columns that tell it together, a person must say which is the leak.
    """
    others = [check for check in error.checks if check["rule"] not in LEAKS or not check["column"]]
    if others:
        raise Problem(f"data file {file}", "; ".join(map(sentence, others)), others[0]["advice"])
    return {check["column"]: LEAKS[check["rule"]].format(check["found"]) for check in error.checks}


def propose(trainings: Sequence[Training], *, rows: int, positive_share: float) -> Gates:
    """Gates of what was trained over several splits.

    Raises:
        Problem: the columns do not tell the outcome.
    """
    areas = [training.metrics["roc_auc"] for training in trainings]
    mean, spread = statistics.mean(areas), statistics.stdev(areas)
    if mean - spread < COIN:
        why = f"over {len(trainings)} splits the ROC AUC is {mean:.3f} ± {spread:.3f}, where a coin has 0.5"
        raise Problem("the columns do not tell the outcome", why, "give the data set columns that are known in time and bear on it")
    calibration = max(training.metrics["calibration_error"] for training in trainings)
    alone, paired = (_most(trainings, rule, least=0.5) for rule in ("leak", "pair leak"))
    repeated = _most(trainings, "duplicates", least=0.0)
    column_auc, suspicious = min(0.95, _up(alone + 0.05)), min(1.0, _up(mean + max(SURE * spread, 0.05)))
    return Gates(
        roc_auc=max(0.5, _down(mean - max(SURE * spread, 0.02))),
        calibration_error=min(1.0, max(0.05, _up(2 * calibration))),
        champion_margin=min(0.1, max(0.01, _up(spread))),
        suspicious_roc_auc=suspicious,
        maximum_column_auc=column_auc,
        maximum_pair_auc=max(column_auc, min(0.97, max(_up(paired + 0.05), suspicious))),  # two columns may tell as much as all of them
        maximum_duplicates=_up(2 * repeated + 0.01) if repeated < NATURAL else 1.0,
        positive_share=(round(positive_share / 2, 4), round(min(1 - (1 - positive_share) / 2, 2 * positive_share), 4)),
        minimum_rows=max(1, min(rows // 2, LEAST)),
        roc_auc_seen=(mean, spread),
        calibration_error_seen=calibration,
    )


def _checks(trainings: Sequence[Training], rule: str) -> list[Mapping[str, Any]]:
    return [check for training in trainings for check in training.checks if check["rule"] == rule]


def _most(trainings: Sequence[Training], rule: str, *, least: float) -> float:
    """The largest figure that a rule's checks have found."""
    return max((float(check["found"]) for check in _checks(trainings, rule)), default=least)


def _down(value: float) -> float:
    return math.floor(round(value, 6) * 100) / 100


def _up(value: float) -> float:
    return math.ceil(round(value, 6) * 100) / 100
