"""Keras, on PyTorch: a model as an ONNX graph, which answers callers; its architecture as JSON and its weights as HDF5, Keras's own.

What is loaded is the graph, so no server imports Keras. From the two others Keras builds the model again, for audits and for who learns on.
They hold data and no code: a model whose architecture would bring some, as a Lambda layer does, is not saved.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from paved_runtime.artifact import ONNX, ArtifactError
from paved_runtime.networks import settings
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.scoring import Graph, graph
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix

NAME, PACKAGE = "keras", "keras"
ARCHITECTURE, WEIGHTS = "architecture.json", "model.weights.h5"
FILES = (ONNX, ARCHITECTURE, WEIGHTS)
TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression")
AT_ONCE = 65_536  # rows


def hyperparameters(task: TaskName) -> Hyperparameters:
    """Those of a new model, whatever its task."""
    del task
    return settings.DEFAULTS


def train(run: TrainingRun) -> Any:
    """A perceptron for the run's task, which gives scores: layers over standardised features, of which a missing one counts as its mean and
    is told apart by a flag. Its hyperparameters are those of `paved_runtime.networks.settings.Settings`. It learns on processors.

    Of several hosts each calls this with all rows, and gets the same model.

    Raises:
        ValueError: a direction is declared, or a hyperparameter is wrong.
    """
    library()
    from paved_runtime.networks.keras_perceptron import Learning, answering, perceptron
    from paved_runtime.networks.launch import learn

    settings.refuse_directions(NAME, run.monotone)
    chosen = settings.Settings.of(run.hyperparameters)
    network = learn(Learning(perceptron(run, chosen)), run, chosen, gpus=0)
    return answering(network.model, run.task)


def save(model: Any, folder: Path) -> None:
    """Write what is left of a keras.Model that takes float32 [rows, features] and gives probabilities [rows] or [rows, 1].

    One whose attribute `task` is "multiclass" gives those of the classes [rows, classes], a "regression" numbers [rows] or [rows, 1].

    Raises:
        ValueError: it gives something else, its architecture holds code, or layers that Keras cannot build again.
    """
    keras = library()
    from paved_runtime.networks.graph import export
    from paved_runtime.networks.keras_perceptron import Answers

    architecture = model.to_json()
    try:
        keras.models.model_from_json(architecture)  # in Keras's safe mode
    except (TypeError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise ValueError(f"Keras would not build the model again from {ARCHITECTURE}: {why}") from error
    answers = Answers(model)
    (folder / ONNX).write_bytes(export(answers, model.input_shape[-1], answers.task))
    (folder / ARCHITECTURE).write_text(json.dumps(json.loads(architecture), indent=1) + "\n", encoding="utf-8")
    model.save_weights(folder / WEIGHTS)


def load(folder: Path) -> Graph:
    """The graph of `model.onnx`. Raises ArtifactError if ONNX Runtime refuses it, or what lies beside it is not whole."""
    import h5py  # type: ignore[import-untyped]

    try:
        architecture = json.loads((folder / ARCHITECTURE).read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{ARCHITECTURE} cannot be loaded: {error}") from error
    if not (isinstance(architecture, dict) and {"class_name", "config"} <= set(architecture)):
        raise ArtifactError(f"{ARCHITECTURE} cannot be loaded: it is no architecture of a Keras model")
    try:
        with h5py.File(folder / WEIGHTS) as weights:
            weights.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)
    except (OSError, RuntimeError, KeyError) as error:
        raise ArtifactError(f"{WEIGHTS} cannot be loaded: {str(error).splitlines()[0]}") from error
    return graph(folder)


def predict(model: Any, matrix: Matrix) -> Matrix:
    """Scores, float32 [rows], of classes [rows, classes]: of a model that has just learnt, or of a graph that was loaded."""
    if isinstance(model, Graph):
        return model(matrix)
    import torch

    from paved_runtime.networks.outputs import rowwise, task

    named = task(model)
    with torch.no_grad():
        split = torch.split(torch.tensor(matrix), AT_ONCE)
        parts = [rowwise(model(part, training=False), len(part), named).cpu().numpy() for part in split]
    scores: Matrix = np.concatenate(parts)
    return scores


def library() -> Any:
    """Keras, on PyTorch. Raises ValueError where something has imported it with another backend."""
    os.environ["KERAS_BACKEND"] = "torch"  # read once, at the first import
    import keras

    if (backend := keras.backend.backend()) != "torch":
        raise ValueError(f"Keras was imported with the backend {backend}: import it by paved_runtime.frameworks.keras.library()")
    return keras
