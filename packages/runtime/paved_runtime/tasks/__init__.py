"""Tasks: what a model answers with, and so how it is judged. Each is one module; `model.toml` says by its target which one a model has."""

from __future__ import annotations

from paved_runtime.spec import Data, TaskName
from paved_runtime.tasks.binary import Binary
from paved_runtime.tasks.multiclass import Multiclass
from paved_runtime.tasks.regression import Regression
from paved_runtime.tasks.task import Task

TASKS: dict[TaskName, type[Task]] = {"binary": Binary, "multiclass": Multiclass, "regression": Regression}


def of(data: Data) -> Task:
    """The task of a model with such a target."""
    return TASKS[data.task](data)
