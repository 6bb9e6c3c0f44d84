"""A training on this machine: a data set that breaks the contract is told with all its violations."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import local_training
from cli.local_training import Violations
from tests.reference import MODEL, MODELS


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a model that a test may change."""
    folder = tmp_path / "models" / MODEL
    shutil.copytree(MODELS / MODEL, folder)
    return folder


@pytest.fixture
def data(model: Path, tmp_path: Path) -> Path:
    """A small data set of its contract."""
    file = tmp_path / "data.csv"
    subprocess.run([sys.executable, str(model / "synthetic.py"), "--rows", "1500", "--seed", "1", "--out", str(file)], check=True)
    return file


def test_a_broken_contract_has_its_violations(model: Path, data: Path, tmp_path: Path) -> None:
    toml = model / "model.toml"
    toml.write_text(toml.read_text().replace("maximum_column_auc = 0.75", "maximum_column_auc = 0.51"))

    with pytest.raises(
        Violations, match=f"the data set breaks the contract of {MODEL}: column '.*': expected a ROC AUC of at most"
    ) as raised:
        local_training.run(model, data, tmp_path / "ml")

    assert "\n" not in str(raised.value)
    assert {check["rule"] for check in raised.value.checks} == {"leak"}
