"""As the framework trains."""

from __future__ import annotations

from xgboost import Booster

from paved_runtime.frameworks import xgboost
from paved_runtime.plugin import TrainingRun


def train(run: TrainingRun) -> Booster:
    return xgboost.train(run)
