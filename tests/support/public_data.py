"""Data sets that scikit-learn brings: what people measured, small enough for a road in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn import datasets  # type: ignore[import-untyped]

from tests.support.data_sets import Row, write


def digits(file: Path) -> Path:
    """Written digits: 1,797 rows of 64 shades of grey, and which of ten digits each is."""
    known = datasets.load_digits()
    return _table(file, known, "digit", [f"pixel_{number}" for number in range(64)], int)


def diabetes(file: Path) -> Path:
    """442 patients: what was measured of them, and a number for how far their disease had come a year later."""
    known = datasets.load_diabetes(scaled=False)
    return _table(file, known, "progression", list(known.feature_names), float)


def wine(file: Path) -> Path:
    """178 wines: what was measured of them, and which of three growers made them."""
    known = datasets.load_wine()
    names = [name.replace("/", "_") for name in known.feature_names]
    growers = ["first", "second", "third"]
    rows = [
        {**dict(zip(names, row, strict=True)), "grower": growers[grower]}
        for row, grower in zip(known.data.tolist(), known.target, strict=True)
    ]
    return write(file, rows)


def _table(file: Path, known: Any, target: str, names: list[str], kind: type) -> Path:
    rows: list[Row] = [
        {**{name: f"{value:g}" for name, value in zip(names, row, strict=True)}, target: kind(label)}
        for row, label in zip(known.data.tolist(), known.target.tolist(), strict=True)
    ]
    return write(file, rows)
