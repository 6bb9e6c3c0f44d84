"""Keras models as what learns: the one of models whose team says nothing else, and how Keras and PyTorch call each other.

To be imported once Keras runs on PyTorch (paved_runtime.frameworks.keras.library).
"""

from __future__ import annotations

from typing import Any

import keras
from torch import Tensor, nn

from paved_runtime.networks import outputs
from paved_runtime.networks.inputs import FARTHEST, Scales
from paved_runtime.networks.settings import Settings
from paved_runtime.networks.target import Standard
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import TaskName

ACTIVATIONS: dict[TaskName, str] = {"binary": "sigmoid", "multiclass": "softmax"}  # from logits to probabilities


def perceptron(run: TrainingRun, settings: Settings) -> Any:
    """The keras.Model that learns from a run: float32 [rows, features] → logits [rows, 1], of several classes [rows, classes], or numbers
    in the target's unit [rows, 1]. Its names and first weights depend on the arguments alone.
    """
    scales = Scales.of(run.matrix)
    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    with keras.device("cpu"):
        features = keras.Input((len(scales.mean),), name="features")
        standard = keras.layers.Normalization(mean=scales.mean, variance=scales.deviation**2)(features)
        empty = keras.ops.isnan(features)
        numbers = keras.ops.where(empty, 0.0, keras.ops.clip(standard, -FARTHEST, FARTHEST))
        flags = [keras.ops.cast(empty[:, position : position + 1], "float32") for position in scales.missing.tolist()]
        layer = keras.layers.Concatenate()([numbers, *flags]) if flags else numbers
        for position, size in enumerate(settings.layers):
            layer = keras.layers.Dense(size, activation="relu")(layer)
            layer = keras.layers.Dropout(settings.dropout, seed=settings.seed + position)(layer)
        layer = keras.layers.Dense(run.classes or 1)(layer)
        if run.task == "regression":
            standard = Standard.of(run.labels)
            layer = keras.layers.Rescaling(standard.deviation, standard.mean)(layer)
        return keras.Model(features, layer)


def answering(model: Any, task: TaskName) -> Any:
    """The keras.Model of a task that gives scores where `model` gives what learns: probabilities instead of logits."""
    if task in ACTIVATIONS:
        with keras.device("cpu"):
            model = keras.Model(model.inputs, keras.layers.Activation(ACTIVATIONS[task])(model.output))
    model.task = task
    return model


class Learning(nn.Module):
    """A keras.Model as PyTorch calls it: it learns in training, and not in evaluation."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        outputs: Tensor = self.model(features, training=self.training)
        return outputs


class Answers(nn.Module):
    """What callers get of a keras.Model, which gives scores (paved_runtime.networks.outputs)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.task = model, outputs.task(model)

    def forward(self, features: Tensor) -> Tensor:
        scores = outputs.rowwise(self.model(features, training=False), features.shape[0], self.task)  # len() would be that of the example
        return outputs.answers(scores, self.task)
