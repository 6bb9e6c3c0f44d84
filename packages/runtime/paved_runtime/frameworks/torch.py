"""PyTorch: a network as an ONNX graph, which answers callers, and its weights as safetensors, for audits and for who learns on from them.

What is loaded is the graph. A network's code is nowhere in an artifact, so nothing of an artifact is run, and no server imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paved_runtime.artifact import ONNX, ArtifactError
from paved_runtime.networks import settings
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.scoring import Graph, graph
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix

if TYPE_CHECKING:
    from torch import nn


NAME, PACKAGE = "torch", "torch"
WEIGHTS = "weights.safetensors"
FILES = (ONNX, WEIGHTS)
TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression")
AT_ONCE = 65_536  # rows


def hyperparameters(task: TaskName) -> Hyperparameters:
    """Those of a new model, whatever its task."""
    del task
    return settings.DEFAULTS


def train(run: TrainingRun) -> nn.Module:
    """A perceptron for the run's task: layers over standardised features, of which a missing one counts as its mean and is told apart by
    a flag. It gives logits, or numbers in the target's unit. Its hyperparameters are those of `paved_runtime.networks.settings.Settings`.

    Of several hosts each calls this with all rows, and gets the same network.

    Raises:
        ValueError: a direction is declared, or a hyperparameter is wrong.
    """
    from paved_runtime.networks.launch import learn
    from paved_runtime.networks.perceptron import perceptron

    settings.refuse_directions("torch", run.monotone)
    chosen = settings.Settings.of(run.hyperparameters)
    return learn(perceptron(run, chosen), run, chosen)


def save(model: nn.Module, folder: Path) -> None:
    """Write the graph and the weights of a network that takes float32 [rows, features] and gives logits [rows] or [rows, 1].

    How many features there are is its attribute `in_features`, which learning by `paved_runtime.networks` gives it, as it does `task`: a
    "multiclass" network gives logits [rows, classes], a "regression" numbers [rows] or [rows, 1].

    Raises:
        ValueError: it gives something else, or does what ONNX has no words for.
    """
    from safetensors.torch import save as written

    from paved_runtime.networks.graph import Answers, export, width

    answers = Answers(model)
    (folder / ONNX).write_bytes(export(answers, width(model), answers.task))
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(model.state_dict().items())}
    (folder / WEIGHTS).write_bytes(written(weights))


def load(folder: Path) -> Graph:
    """The graph of `model.onnx`. Raises ArtifactError if ONNX Runtime refuses it, or the weights beside it are not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            weights.keys()
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{WEIGHTS} cannot be loaded: {str(error).splitlines()[0]}") from error
    return graph(folder)


def predict(model: nn.Module | Graph, matrix: Matrix) -> Matrix:
    """Scores, float32 [rows], of classes [rows, classes]: of a network that has just learnt, or of a graph that was loaded."""
    if isinstance(model, Graph):
        return model(matrix)
    import torch

    from paved_runtime.networks import outputs

    model.eval()
    task = outputs.task(model)
    with torch.no_grad():
        parts = [outputs.scores(model(part), len(part), task).numpy() for part in torch.split(torch.tensor(matrix), AT_ONCE)]
    scores: Matrix = np.concatenate(parts)
    return scores
