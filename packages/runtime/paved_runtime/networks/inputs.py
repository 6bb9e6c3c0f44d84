"""What a network sees of the features: numbers of like size, and which of them are missing. The constants are part of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paved_runtime.table import Matrix

FARTHEST = 10.0  # standard deviations: what lies farther out counts as if it lay there


@dataclass(frozen=True, slots=True)
class Scales:
    """Of each feature, in training rows where it is there: mean and standard deviation, float32 [features]; and the positions of those
    that are missing in some.
    """

    mean: Matrix
    deviation: Matrix
    missing: NDArray[np.int64]

    @classmethod
    def of(cls, matrix: Matrix) -> Scales:
        """Those of training rows, float32 [rows, features]. One that never varies has deviation 1, one that is never there mean 0."""
        mean, deviation = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
        for position, column in enumerate(matrix.T):
            there = column[~np.isnan(column)].astype(np.float64)
            if len(there):
                mean[position], deviation[position] = there.mean(), there.std() or 1.0
        return cls(mean.astype(np.float32), deviation.astype(np.float32), np.flatnonzero(np.isnan(matrix).any(axis=0)))


class Standardised(nn.Module):
    """float32 [rows, features] → float32 [rows, features + flags]: standardised, with the mean where one is missing, and a flag for each
    feature that was missing in training.
    """

    mean: Tensor
    deviation: Tensor
    missing: Tensor

    def __init__(self, scales: Scales) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(scales.mean))
        self.register_buffer("deviation", torch.tensor(scales.deviation))
        self.register_buffer("missing", torch.tensor(scales.missing))

    @property
    def width(self) -> int:
        """How many numbers it gives for a row."""
        return len(self.mean) + len(self.missing)

    def forward(self, features: Tensor) -> Tensor:
        empty = torch.isnan(features)
        numbers = ((features - self.mean) / self.deviation).clamp(-FARTHEST, FARTHEST)
        numbers = torch.where(empty, torch.zeros_like(numbers), numbers)
        return torch.cat([numbers, empty[:, self.missing].to(numbers.dtype)], dim=1)
