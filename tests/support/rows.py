"""Rows of the reference model's synthetic data set, as a CSV file has them."""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.reference import MODEL, MODELS


@cache
def synthetic(count: int, seed: int = 1) -> tuple[dict[str, str], ...]:
    """What the model's `synthetic.py` writes; the same for the same seed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        program = [sys.executable, str(MODELS / MODEL / "synthetic.py"), "--rows", str(count), "--seed", str(seed), "--out", str(file)]
        subprocess.run(program, check=True)
        with file.open(newline="") as stream:
            return tuple(csv.DictReader(stream))


ROWS = list(synthetic(200))
