"""The sample's features keep their promise: a row has the same ones alone and among others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_code.lead_scoring import features
from paved_runtime import contract, spec, testing
from paved_runtime.table import Table


def test_a_row_has_the_same_features_alone_and_among_others(tmp_path: Path) -> None:
    data = testing.synthetic("lead_scoring", tmp_path / "data.csv", rows=1000, seed=3)
    table = contract.read(data.parent, spec.load("lead_scoring").data).take(np.arange(50)).table
    together = features.features(table)

    for row, expected in zip(table.values, together, strict=True):
        assert np.array_equal(features.features(Table(table.positions, row[None])), expected[None], equal_nan=True)
