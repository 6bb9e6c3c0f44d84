"""What networks give for rows, by their task, and what callers get of it.

A network's task is its attribute `task`, which learning by `paved_runtime.networks` gives it; one without is binary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from paved_runtime.scoring import PROBABILITIES, VALUES
from paved_runtime.spec import TaskName

ACCEPTED: dict[TaskName, str] = {
    "binary": "[rows] or [rows, 1]",
    "multiclass": "[rows, classes]",
    "regression": "[rows] or [rows, 1]",
}
GIVES: dict[TaskName, str] = {"binary": PROBABILITIES, "multiclass": PROBABILITIES, "regression": VALUES}  # what a graph calls its output


def task(network: Any) -> TaskName:
    """What a network, or a keras.Model, has learnt. Raises ValueError where it says something else than a task."""
    named: TaskName = getattr(network, "task", "binary")
    if named not in ACCEPTED:
        raise ValueError(f"attribute task of {type(network).__name__}: found {named!r}; accepted is one of {', '.join(ACCEPTED)}")
    return named


def rowwise(outputs: Tensor, rows: int, task: TaskName, classes: int = 0) -> Tensor:
    """What a network of a task gives for so many rows, as [rows], or, of several classes, [rows, classes]. 0 `classes` are any number.

    Raises:
        ValueError: it has another shape.
    """
    shape = tuple(outputs.shape)
    if task == "multiclass":
        fits = len(shape) == 2 and shape[0] == rows and (shape[1] == classes if classes else shape[1] > 2)
    else:
        fits = shape in ((rows,), (rows, 1))
    if not fits:
        accepted = ACCEPTED[task].replace("classes", str(classes or "classes"))
        raise ValueError(f"the network gives {list(shape)} for {rows} rows, its task is {task!r}: accepted is {accepted}")
    return outputs if task == "multiclass" else outputs.reshape(-1)


def scores(outputs: Tensor, rows: int, task: TaskName) -> Tensor:
    """The scores of a PyTorch network's outputs: probabilities of its logits, or the numbers as they are."""
    outputs = rowwise(outputs, rows, task)
    if task == "regression":
        return outputs
    return torch.softmax(outputs, dim=1) if task == "multiclass" else torch.sigmoid(outputs)


def answers(scores: Tensor, task: TaskName) -> Tensor:
    """What a graph gives of scores: float32 [rows, outcomes], with both outcomes of two; of a regression [rows]."""
    return torch.stack([1 - scores, scores], dim=1) if task == "binary" else scores
