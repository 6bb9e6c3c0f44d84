"""The model that is measured: the sample of the runtime's own tests, so that a figure means the same in every fork."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from paved_runtime import contract, spec, testing
from paved_runtime.table import Examples

HERE = Path(__file__).resolve().parents[1]
FOLDER = HERE / "packages/runtime/tests/model_code"
spec.MODELS = FOLDER
MODEL = "lead_scoring"
VARIABLES = {"MODEL": MODEL, "MODEL_CODE": str(FOLDER)}  # of its container
# A data set of the sample's contract, bank-full.csv of UCI's Bank Marketing as CSV; it is not part of the repository.
REAL = Path(os.environ["ROAD_REAL_DATA"]) if os.environ.get("ROAD_REAL_DATA") else None
SYNTHETIC = str(FOLDER / MODEL / "synthetic.py")


def examples(file: Path | None) -> Examples:
    """The rows of a file of the sample's contract, else of the synthetic data set, as many as the real one has."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.csv"
        if file is None:
            testing.synthetic(MODEL, data, rows=45_000, seed=7)
        else:
            shutil.copy(file, data)
        return contract.read(Path(folder), spec.load(MODEL).data)
