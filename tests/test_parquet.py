"""Rows are the same in Parquet as in CSV: they have the same numbers, refusals, and digests, by which models know them again."""

from __future__ import annotations

import csv
import doctest
import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from paved_runtime import contract, parquet
from paved_runtime.contract import ContractError, Reading
from paved_runtime.spec import Data

DATA = Data.model_validate(
    {
        "target": "bought",
        "positive": "yes",
        "negative": "no",
        "exclude": ["agent"],
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {
            "age": {"type": "integer", "minimum": 0, "maximum": 120, "missing": 0.9},
            "income": {"type": "number", "minimum": -1e12, "maximum": 1e12, "missing": 0.9},
            "price": {"type": "number", "minimum": 0, "maximum": 1000},
            "city": {"type": "category", "values": ["bonn", "köln", "aachen"], "missing": 0.9},
            "member": {"type": "boolean", "true": "J", "false": "N", "missing": 0.9},
            "since": {"type": "date", "minimum": date(2000, 1, 1), "maximum": date(2030, 12, 31), "missing": 0.9},
            "note": {"type": "text", "maximum_length": 20, "missing": 0.9},
        },
    }
)
STRATEGIES = {
    "age": st.none() | st.integers(0, 120),
    "income": st.none() | st.floats(-1e12, 1e12),
    "price": st.decimals(0, 1000, places=2),
    "city": st.none() | st.sampled_from(["bonn", "köln", "aachen"]),
    "member": st.none() | st.booleans(),
    "since": st.none() | st.dates(date(2000, 1, 1), date(2030, 12, 31)),
    "note": st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
    "agent": st.none() | st.integers(-(2**63), 2**63 - 1),
    "bought": st.sampled_from(["yes", "no"]),
}
TYPES = {
    "age": [pa.int8(), pa.uint16(), pa.int64(), pa.float64()],
    "income": [pa.float64()],
    "price": [pa.decimal128(6, 2), pa.float64()],
    "city": [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())],
    "member": [pa.bool_()],
    "since": [pa.date32(), pa.date64(), pa.timestamp("us"), pa.timestamp("ns"), pa.string()],
    "note": [pa.string(), pa.large_string()],
    "agent": [pa.int64(), pa.string()],
    "bought": [pa.string(), pa.dictionary(pa.int32(), pa.string())],
}
Row = dict[str, Any]
tables = st.lists(st.fixed_dictionaries(STRATEGIES), max_size=6).map(lambda rows: [*rows, ORDINARY | {"bought": "no"}, ORDINARY])
ORDINARY: Row = {"age": 40, "income": 0.1, "price": Decimal("9.90"), "city": "köln", "member": True, "since": None, "note": "a", "agent": 7}
ORDINARY |= {"bought": "yes"}


def spelt(value: Any) -> str:
    """A value as somebody would write it into a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "J" if value else "N"
    return repr(value) if isinstance(value, float) else str(value)


def as_csv(file: Path, rows: list[Row]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows[0])
        writer.writerows([spelt(row[name]) for name in rows[0]] for row in rows)


def as_parquet(file: Path, rows: list[Row], types: dict[str, Any]) -> None:
    """With the given types, and a group for every two rows."""
    columns = {name: pa.array([_fitting(row[name], types.get(name)) for row in rows]) for name in rows[0]}
    cast = {name: column.cast(types[name]) if name in types else column for name, column in columns.items()}
    pq.write_table(pa.table(cast), file, row_group_size=2)


def _fitting(value: Any, kind: Any) -> Any:
    if kind is None or value is None:
        return value
    if pa.types.is_floating(kind):
        return float(value)
    return str(value) if pa.types.is_string(kind) else value


def inspected(folder: Path) -> Reading:
    return contract.inspect(folder, DATA)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_the_examples_in_its_docstrings_hold() -> None:
    assert doctest.testmod(parquet) == (0, 1)


@given(tables, st.fixed_dictionaries({name: st.sampled_from(kinds) for name, kinds in TYPES.items()}), st.permutations(list(STRATEGIES)))
def test_a_row_is_the_same_row_in_either(rows: list[Row], types: dict[str, Any], order: list[str]) -> None:
    readings = []
    for write in ("csv", "parquet"):
        with TemporaryDirectory() as folder:
            if write == "csv":
                as_csv(Path(folder) / "data.csv", rows)
            else:
                as_parquet(Path(folder) / "data.parquet", [{name: row[name] for name in order} for row in rows], types)
            readings.append(inspected(Path(folder)))
    plain, columnar = readings

    assert [check for check in columnar.checks if not check.passed] == []
    assert np.array_equal(plain.examples.table.values, columnar.examples.table.values, equal_nan=True)
    assert plain.examples.table.texts["note"].tolist() == columnar.examples.table.texts["note"].tolist()
    assert plain.examples.labels.tolist() == columnar.examples.labels.tolist()
    assert plain.examples.digests.tolist() == columnar.examples.digests.tolist()
    assert plain.digested == columnar.digested


WRONG: dict[str, list[tuple[Any, Any, str]]] = {
    "age": [(-1, pa.int64(), "-1"), (1.5, pa.float64(), "1.5"), (float("nan"), pa.float64(), "nan"), ("old", pa.string(), "old")],
    "income": [(float("inf"), pa.float64(), "inf"), (2e12, pa.float64(), "2e+12")],
    "city": [("Bonn", pa.string(), "Bonn"), (3, pa.int64(), "3"), (True, pa.bool_(), "true")],
    "member": [("true", pa.string(), "true"), (1, pa.int64(), "1")],
    "since": [
        (datetime(2020, 1, 2, 7, 30), pa.timestamp("s"), "2020-01-02 07:30:00.000"),
        (datetime(2020, 1, 2, tzinfo=UTC), pa.timestamp("s", "UTC"), "2020-01-02 00:00:00.000Z"),
        (date(1999, 12, 31), pa.date32(), "1999-12-31"),
        (18_000, pa.int32(), "18000"),
    ],
}


@pytest.mark.parametrize(("column", "value", "kind", "cell"), [(name, *case) for name, cases in WRONG.items() for case in cases])
def test_a_value_is_refused_as_its_cell_would_be(folder: Path, column: str, value: Any, kind: Any, cell: str) -> None:
    rows = [{**ORDINARY, "bought": outcome, column: None} for outcome in ("yes", "no")]
    table = pa.table({name: pa.array([row[name] for row in rows]) for name in ORDINARY})
    table = table.set_column(table.column_names.index(column), column, pa.array([None, value], kind))
    pq.write_table(table, folder / "data.parquet")
    with pytest.raises(ContractError) as caught:
        contract.read(folder, DATA)
    (check,) = caught.value.violations

    assert (check.column, check.count, check.rows, check.found) == (column, 1, (2,), repr(cell))


def test_files_of_either_kind_are_one_data_set(folder: Path) -> None:
    rows = [ORDINARY | {"age": age, "bought": "no" if age % 3 else "yes"} for age in range(30)]
    as_csv(folder / "b.csv", rows[10:20])
    as_parquet(folder / "a.parquet", rows[:10], {})
    as_parquet(folder / "c.parquet", [dict(reversed(row.items())) for row in rows[20:]], {})
    reading = inspected(folder)

    assert reading.source == "a.parquet, b.csv, c.parquet"
    assert reading.examples.table["age"].tolist() == list(range(30))
    content = b"".join((folder / name).read_bytes() for name in ("a.parquet", "b.csv", "c.parquet"))
    assert reading.sha256 == contract.sha256(folder) == hashlib.sha256(content).hexdigest()
    assert parquet.count(folder / "c.parquet") == 10


def test_a_column_that_no_cell_could_say_is_named(folder: Path) -> None:
    pq.write_table(pa.table({"age": [[1, 2]], "bought": ["yes"]}), folder / "data.parquet")

    with pytest.raises(
        ContractError, match=r"data\.parquet breaks the data contract: column 'age': expected columns of integers"
    ) as caught:
        contract.read(folder, DATA)
    assert "found list<" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"age,bought\n1,yes\n", b"PAR1" + b"\0" * 50 + b"PAR1"])
def test_a_file_that_is_no_parquet(folder: Path, content: bytes) -> None:
    (folder / "data.parquet").write_bytes(content)

    with pytest.raises(ContractError, match=r"data\.parquet breaks the data contract: expected a Parquet file, found") as caught:
        contract.read(folder, DATA)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_off_within_is_refused(folder: Path) -> None:
    """Its end, which says what is in it, is whole: only reading the rows shows it."""
    rows = [ORDINARY | {"note": f"{row:020}", "bought": "no" if row % 2 else "yes"} for row in range(5000)]
    as_parquet(folder / "data.parquet", rows, {})
    content = bytearray((folder / "data.parquet").read_bytes())
    content[4 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4)
    (folder / "data.parquet").write_bytes(content)

    with pytest.raises(ContractError, match="expected a Parquet file, found"):
        contract.read(folder, DATA)


def test_a_file_without_rows_is_refused(folder: Path) -> None:
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in ORDINARY}), folder / "data.parquet")

    with pytest.raises(ContractError, match="found a header and no rows"):
        contract.read(folder, DATA)
