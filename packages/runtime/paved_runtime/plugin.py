"""What a model brings of its own: two modules. Everything else that a container does is the frame's.

`features.py` is imported in training and in serving; `training.py` in training only, so that a server never loads a trainer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, cast

from paved_runtime import spec
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.hosts import Hosts
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix, Table

Hyperparameters = Mapping[str, int | float | str]
Monotone = Mapping[str, int]  # every feature in order: 1 where the score may only rise with it, -1 only fall, 0 either


class Features(Protocol):
    """The module `model_code.<model>.features`.

    `NAMES` names the matrix's columns, in order. A feature made of a column of another name is a reason of that column if the module says
    so in an optional `SOURCES`, feature → column.
    """

    NAMES: tuple[str, ...]

    def features(self, table: Table) -> Matrix:
        """float32 [rows, len(NAMES)]; each row depends on that row alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """What a model learns from: `matrix` is float32 [rows, features], `labels` float32 [rows]: 1 for the positive outcome and 0 for
    the other, or, of another `task`, the place of a row's class among so many `classes`, or the number that it turned out to be.

    `hyperparameters` are those of `model.toml`, or of the job where it gives others; `monotone` has the declared directions. Each of the
    job's `hosts` has such a run, with all rows; `checkpoints` are where a run goes on that was interrupted.
    """

    matrix: Matrix
    labels: Matrix
    hyperparameters: Hyperparameters
    monotone: Monotone
    task: TaskName = "binary"
    classes: int = 0
    hosts: Hosts = field(default_factory=Hosts)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)


class Training(Protocol):
    """The module `model_code.<model>.training`."""

    def train(self, run: TrainingRun) -> Any:
        """A model of the framework's kind that answers as the run's task does. Deterministic: same run, same model."""


def features(model: str) -> Features:
    """The model's feature code."""
    return cast(Features, module(model, "features"))


def training(model: str) -> Training:
    """The model's training code."""
    return cast(Training, module(model, "training"))


def module(model: str, name: str) -> ModuleType:
    """A module of the model's folder, whoever started this program, and from where."""
    home = spec.MODELS.resolve()
    if str(home.parent) not in sys.path:
        sys.path.insert(0, str(home.parent))
    return import_module(f"{home.name}.{model}.{name}")
