"""The target of a regression: networks learn it as numbers about 0, and answer in its own unit. The constants are part of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from paved_runtime.table import Matrix


@dataclass(frozen=True, slots=True)
class Standard:
    """Mean and standard deviation of training labels, in the target's unit."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, labels: Matrix) -> Standard:
        """Those of labels, float32 [rows], the same on every host. Labels that are all the same have deviation 1."""
        exact = labels.astype(np.float64)
        return cls(float(exact.mean()), float(exact.std()) if exact.min() < exact.max() else 1.0)


class InUnit(nn.Module):
    """Numbers in the target's unit, where `network` gives them in standard deviations from the mean of training labels."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, labels: Matrix) -> None:
        super().__init__()
        self.network = network
        standard = Standard.of(labels)
        self.register_buffer("mean", torch.tensor(standard.mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(standard.deviation, dtype=torch.float32))

    def forward(self, features: Tensor) -> Tensor:
        numbers: Tensor = self.network(features) * self.deviation + self.mean
        return numbers
