"""The network of models whose team says nothing else: a few layers over standardised features."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from paved_runtime.networks.inputs import Scales, Standardised
from paved_runtime.networks.settings import Settings
from paved_runtime.networks.target import InUnit
from paved_runtime.plugin import TrainingRun


class Perceptron(nn.Module):
    """A number for each row of float32 [rows, features], in which NaN is a missing one: [rows]; several `outputs` are [rows, outputs]."""

    def __init__(self, scales: Scales, settings: Settings, outputs: int = 1) -> None:
        super().__init__()
        torch.manual_seed(settings.seed)
        self.inputs = Standardised(scales)
        sizes = (self.inputs.width, *settings.layers)
        hidden = [part for before, after in pairwise(sizes) for part in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(settings.dropout))]
        self.width = outputs
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))

    def forward(self, features: Tensor) -> Tensor:
        outputs: Tensor = self.layers(self.inputs(features))
        return outputs.squeeze(1) if self.width == 1 else outputs


def perceptron(run: TrainingRun, settings: Settings) -> nn.Module:
    """The one that learns from a run: it gives logits, or numbers in the target's unit."""
    network = Perceptron(Scales.of(run.matrix), settings, outputs=run.classes or 1)
    return InUnit(network, run.labels) if run.task == "regression" else network
