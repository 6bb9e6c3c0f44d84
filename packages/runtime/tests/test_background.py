"""The background is like the training rows column by column, the same every time, and no row of the data set."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from container import MODEL
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import artifact, background, drift, spec, tasks
from paved_runtime.digests import Digests
from paved_runtime.spec import Data
from paved_runtime.table import Examples, Table

DATA = Data.model_validate(
    {
        "target": "y",
        "positive": "yes",
        "negative": "no",
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {
            "kind": {"type": "category", "values": ("a", "b", "c"), "missing": 0.5},
            "age": {"type": "integer", "minimum": 0, "maximum": 99, "missing": 0.5},
            "rate": {"type": "number", "minimum": -1.0, "maximum": 1.0},
            "active": {"type": "boolean"},
            "opened": {"type": "date", "minimum": date(2020, 1, 1), "maximum": date(2026, 12, 31)},
            "note": {"type": "text", "maximum_length": 40, "missing": 0.5},
        },
    }
)
PROFILE: dict[str, Any] = {
    "columns": {
        "kind": {"type": "category", "counts": {"a": 30, "b": 0, "c": 10}, "missing": 0},
        "age": {"type": "number", "edges": [20.0, 30.0], "counts": [10, 10, 10], "missing": 10},
        "rate": {"type": "number", "edges": [0.0], "counts": [20, 20], "missing": 0},
        "active": {"type": "boolean", "counts": {"false": 10, "true": 30}, "missing": 0},
        "opened": {"type": "date", "edges": [19000.0, 20000.0], "counts": [10, 20, 10], "missing": 0},
        "note": {"type": "text", "edges": [5.0, 9.0], "counts": [10, 10, 10], "missing": 10},
    }
}
kinds = st.sampled_from([0.0, 1.0, 2.0, np.nan])
ages = st.integers(0, 99).map(float) | st.just(np.nan)
rates = st.floats(-1, 1, width=32)
flags, days, lengths = st.sampled_from([0.0, 1.0]), st.integers(18262, 20818).map(float), st.integers(1, 40).map(float) | st.just(np.nan)


def drawn(rows: int = 8, seed: str = "1", profile: dict[str, Any] = PROFILE) -> Table:
    return background.draw(profile, DATA, rows, seed)


def counts(table: Table, column: str) -> dict[float, int]:
    values, times = np.unique(table[column], return_counts=True)
    return dict(zip(values.tolist(), times.tolist(), strict=True))


def test_each_value_is_as_frequent_as_in_the_training_rows() -> None:
    table = drawn()
    ages = table["age"][~np.isnan(table["age"])]

    assert counts(table, "kind") == {0.0: 6, 2.0: 2}
    assert sorted(ages.tolist()) == [20, 20, 30, 30, 40, 40]
    assert counts(table, "rate") == {0.0: 4, 1.0: 4}
    assert counts(table, "active") == {0.0: 2, 1.0: 6}
    assert counts(table, "opened") == {19000.0: 2, 20000.0: 4, 20818.0: 2}


def test_a_text_is_made_up_and_as_long_as_its_column_says() -> None:
    table = drawn()
    lengths = [0 if np.isnan(length) else int(length) for length in table["note"]]

    assert [len(text) for text in table.texts["note"]] == lengths
    assert sorted(lengths) == [0, 0, 5, 5, 9, 9, 13, 13]
    assert not any(text != text.strip() for text in table.texts["note"])


def test_columns_are_drawn_each_by_itself_and_the_same_every_time() -> None:
    np.testing.assert_array_equal(drawn(32).values, drawn(32).values)
    assert not np.array_equal(drawn(32).values, drawn(32, seed="2").values, equal_nan=True)
    assert len({(kind, rate) for kind, rate in drawn(32).values[:, [0, 2]].tolist()}) == 4


@pytest.mark.parametrize(("edges", "last"), [([90.0, 95.0], 99), ([10.0], 11), ([], 49.5)])
def test_the_last_bin_stays_in_the_contract(edges: list[float], last: float) -> None:
    age = {"type": "number", "edges": edges, "counts": [*(0 for _ in edges), 5], "missing": 0}

    assert set(drawn(profile={"columns": PROFILE["columns"] | {"age": age}})["age"].tolist()) == {last}


@given(st.lists(st.tuples(kinds, ages, rates, flags, days, lengths), min_size=1, max_size=30))
def test_whatever_was_trained_on_it_is_what_the_contract_accepts(rows: list[tuple[float, ...]]) -> None:
    table = Table({name: position for position, name in enumerate(DATA.columns)}, np.array(rows, dtype=np.float64))
    nobody: Digests = np.zeros(len(rows), dtype=np.uint64)
    profile = drift.profile(Examples(table, np.zeros(len(rows)), nobody), tasks.of(DATA))
    kind, age, rate, active, opened, note = drawn(32, profile=profile).values.T

    assert set(kind[~np.isnan(kind)]) <= {row[0] for row in rows}
    assert ((age >= 0) & (age <= 99) | np.isnan(age)).all()
    assert (age[~np.isnan(age)] % 1 == 0).all() or not profile["columns"]["age"]["edges"]
    assert ((rate >= -1) & (rate <= 1)).all()
    assert set(active) <= {row[3] for row in rows}
    assert ((opened >= 18262) & (opened <= 20818)).all()
    assert ((note >= 1) & (note <= 40) | np.isnan(note)).all()


def test_it_is_of_every_column_of_a_real_profile(trained: Any) -> None:
    data = spec.load(MODEL).data
    table = background.draw(artifact.read_json(trained / "model" / artifact.DATA), data, 32, "1")

    assert table.values.shape == (32, len(data.columns))
    assert np.isfinite(table.values).all()
    assert (table["pdays"] == -1).mean() == pytest.approx(0.8, abs=0.15)
