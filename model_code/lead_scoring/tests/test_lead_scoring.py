"""The first model: its features, its training, its made-up data, and what it reaches on the real data where that is at hand."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st

from model_code import spec
from model_code.lead_scoring import features, synthetic, training
from model_code.runtime import contract
from model_code.runtime.evaluate import measure
from model_code.runtime.rules import rules
from model_code.runtime.scoring import Scorer
from model_code.runtime.split import split
from model_code.runtime.table import Table
from model_code.spec import Category, Integer, ModelSpec

SPEC = spec.load("lead_scoring")
POSITIONS = {name: position for position, name in enumerate(SPEC.features)}
REAL = spec.MODELS.parent.parent / "shared/data/bank-full.csv"


def values(column: spec.Column) -> st.SearchStrategy[float]:
    if isinstance(column, Category):
        return st.integers(0, len(column.values) - 1).map(float)
    assert isinstance(column, Integer)
    return st.integers(column.minimum, column.maximum).map(float)


columns = st.tuples(*map(values, SPEC.data.columns.values()))
tables = st.lists(columns, min_size=1, max_size=20).map(lambda rows: Table(POSITIONS, np.array(rows)))


@given(tables)
def test_a_row_has_the_same_features_alone_and_among_others(table: Table) -> None:
    together = features.features(table)

    assert together.dtype == np.float32
    assert together.shape == (len(table), len(features.NAMES))
    for row, alone in zip(table.values, together, strict=True):
        assert np.array_equal(features.features(Table(POSITIONS, row[None])), alone[None])


def test_the_feature_names_begin_with_the_columns_of_the_contract() -> None:
    assert features.NAMES[:15] == SPEC.features


def test_new_years_eve_is_next_to_new_years_day() -> None:
    december, january = features.SEASONS[11, 31], features.SEASONS[0, 1]

    assert np.allclose(december[1:], january[1:], atol=0.05)
    assert abs(december[0] - january[0]) > 300


@given(tables)
def test_onnx_and_booster_agree_anywhere_in_the_contract(scorer: Scorer, booster: xgboost.Booster, table: Table) -> None:
    matrix = features.features(table)

    assert np.allclose(scorer.matrix(matrix), booster.inplace_predict(matrix), atol=1e-5)


@pytest.fixture(scope="module")
def scorer(trained: Path) -> Scorer:
    return Scorer.load(trained / "model")


@pytest.fixture(scope="module")
def booster(trained: Path) -> xgboost.Booster:
    return xgboost.Booster(model_file=trained / "model/model.json")


def test_training_twice_gives_the_same_bytes(data: Path) -> None:
    examples = contract.read(data.parent, SPEC.data)
    matrix = features.features(examples.table)
    first, second = (training.train(matrix, examples.labels, SPEC.training.hyperparameters).save_raw("json") for _ in range(2))

    assert first == second


def test_the_synthetic_data_are_the_same_for_the_same_seed(tmp_path: Path, data: Path) -> None:
    synthetic.write(tmp_path / "again.csv", 4000, 3)

    assert (tmp_path / "again.csv").read_bytes() == data.read_bytes()
    assert synthetic.rows(5, 3) != synthetic.rows(5, 4)


def test_the_synthetic_data_have_every_column_and_the_excluded_one() -> None:
    assert set(synthetic.HEADER) == {*SPEC.features, *SPEC.data.exclude, SPEC.data.target}


def test_the_generator_needs_nothing_but_python(tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", str(Path(synthetic.__file__)), "--rows", "10", "--out", str(tmp_path / "data.csv")]
    subprocess.run(argv, check=True)

    assert len((tmp_path / "data.csv").read_text().splitlines()) == 11


def test_the_synthetic_data_pass_the_gate_clearly(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "data.csv", 20_000, 7)

    assert roc_auc(tmp_path, SPEC, SPEC.data.seed) > SPEC.gates.roc_auc + 0.03


@pytest.mark.skipif(not REAL.is_file(), reason="the real data set is not at hand")
def test_the_real_data_reach_the_published_quality() -> None:
    assert roc_auc(REAL.parent, SPEC, SPEC.data.seed) >= 0.79


def roc_auc(folder: Path, model: ModelSpec, seed: int) -> float:
    """Held-out ROC AUC of a model trained on a folder's data, without the export to ONNX."""
    train, holdout = split(contract.read(folder, model.data), share=model.data.holdout, seed=seed)
    trained = training.train(features.features(train.table), train.labels, model.training.hyperparameters)
    return measure(holdout.labels, trained.inplace_predict(features.features(holdout.table)))["roc_auc"]


def test_every_synthetic_cell_is_accepted(data: Path) -> None:
    with data.open(newline="") as stream:
        cells = list(csv.DictReader(stream))
    for name, rule in rules(SPEC.data).items():
        for row in cells:
            assert rule.write(rule.parse(row[name])) == (row[name] if isinstance(SPEC.data.columns[name], Category) else int(row[name]))
