"""Keras models as what learns: the one of models whose team says nothing else, and how Keras and PyTorch call each other.

To be imported once Keras runs on PyTorch (paved_runtime.frameworks.keras.library).
"""

from __future__ import annotations

from typing import Any

import keras
import torch
from torch import Tensor, nn

from paved_runtime.networks.inputs import FARTHEST, Scales
from paved_runtime.networks.settings import Settings


def perceptron(scales: Scales, settings: Settings) -> Any:
    """A keras.Model: float32 [rows, features] → logits [rows, 1]. Its names and first weights depend on the arguments alone."""
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
        return keras.Model(features, keras.layers.Dense(1)(layer))


def answering(model: Any) -> Any:
    """The keras.Model that gives probabilities where `model` gives logits."""
    with keras.device("cpu"):
        return keras.Model(model.inputs, keras.layers.Activation("sigmoid")(model.output))


class Logits(nn.Module):
    """A keras.Model as PyTorch calls it: it learns in training, and not in evaluation."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.model(features, training=self.training)
        return logits


class Probabilities(nn.Module):
    """float32 [rows, 2] of both outcomes, from a keras.Model that gives [rows] or [rows, 1] of the positive one."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        positive = self.model(features, training=False).reshape(-1)
        return torch.stack([1 - positive, positive], dim=1)
