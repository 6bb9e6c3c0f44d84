"""The network of models whose team says nothing else: a few layers over standardised features."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from paved_runtime.networks.inputs import Scales, Standardised
from paved_runtime.networks.settings import Settings


class Perceptron(nn.Module):
    """Logits [rows] of float32 [rows, features], in which NaN is a missing one."""

    def __init__(self, scales: Scales, settings: Settings) -> None:
        super().__init__()
        torch.manual_seed(settings.seed)
        self.inputs = Standardised(scales)
        sizes = (self.inputs.width, *settings.layers)
        hidden = [part for before, after in pairwise(sizes) for part in (nn.Linear(before, after), nn.ReLU(), nn.Dropout(settings.dropout))]
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1))

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.inputs(features))
        return logits.squeeze(1)
