"""A data set in several files: they are one, a mistake has its place in the file that has it, and what does not fit is named."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from cli import data_files, data_parts, datasets
from cli.problem import Problem
from paved_runtime.rules import rules
from tests import reference

REFERENCE = reference.model()
MODEL = REFERENCE.model_copy(update={"data": REFERENCE.data.model_copy(update={"minimum_rows": 3})})
Row = dict[str, object]
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)


def good(outcome: str, age: int = 18) -> Row:
    row: Row = {name: rule.spell(0) for name, rule in rules(MODEL.data).items()}
    return {**row, "age": age, "day": 1, "campaign": 1, "duration": 7, "y": outcome}


def write(file: Path, rows: Sequence[Row], header: Sequence[str] = ()) -> Path:
    """The rows as CSV or, by the file's name, as Parquet; `header` says in which order."""
    ordered = [{name: row[name] for name in header or row} for row in rows]
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ordered), file)
        return file
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(ordered[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(ordered)
    return file


def refusal(parts: Sequence[Path]) -> str:
    with pytest.raises(Problem) as raised, data_parts.joined(parts) as file:
        datasets.check(file, MODEL, parts)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_parts_are_one_data_set_whatever_the_order_of_their_columns(tmp_path: Path, suffix: str) -> None:
    rows = [good("yes", 20), good("yes", 30), good("no", 40)]
    parts = [write(tmp_path / f"a{suffix}", rows[:2]), write(tmp_path / f"b{suffix}", rows[2:], header=[*reversed(rows[0])])]

    with data_parts.joined(parts) as file:
        checked = datasets.check(file, MODEL, parts)
        with data_files.rows(file, MODEL.data) as (header, lines):
            read = [dict(zip(header, line, strict=True)) for line in lines]

    assert (checked.rows, file.suffix) == (3, suffix)
    assert read == [{name: str(value) for name, value in row.items()} for row in rows]
    assert not file.exists()


def test_a_part_alone_is_the_data_set_itself(tmp_path: Path) -> None:
    part = write(tmp_path / "a.csv", [good("yes")])

    with data_parts.joined([part]) as file:
        assert file == part


def test_a_mistake_has_its_place_in_the_part_that_has_it(tmp_path: Path) -> None:
    fine, wrong = write(tmp_path / "a.csv", [good("yes"), good("no")]), write(tmp_path / "b.csv", [good("no"), good("no", 17)])

    assert f"data file {wrong}: row 2, column 'age': expected an integer between 18 and 120, found '17'" in refusal([fine, wrong])
    wrong.write_text(wrong.read_text() + "1,2\n")
    assert f"data file {wrong}: row 2, column 'age'" in refusal([wrong, fine])


def test_all_parts_together_have_rows_and_outcomes_enough(tmp_path: Path) -> None:
    parts = [write(tmp_path / "a.csv", [good("yes")]), write(tmp_path / "b.csv", [good("yes")])]

    assert f"data file {parts[0]}, {parts[1]}: column 'y': expected both 'yes' and 'no', 'no' is not there" in refusal(parts)
    write(parts[1], [good("no")])
    assert f"data file {parts[0]}, {parts[1]}: expected at least 3 rows, found 2" in refusal(parts)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_no_part_of_the_first_is_named(tmp_path: Path, suffix: str) -> None:
    first, second = write(tmp_path / f"a{suffix}", [good("yes")]), tmp_path / f"b{suffix}"

    write(second, [{name: value for name, value in good("no").items() if name != "age"}])
    assert f"data file {second}: column 'age': expected the columns of the first, it is not there: give every part" in refusal(
        [first, second]
    )
    write(second, [good("no") | {"more": 1}])
    assert f"data file {second}: column 'more': expected the columns of the first, found this one" in refusal([first, second])
    second.unlink()
    assert "there is no such file" in refusal([first, second])
    second.write_bytes(b"\xff\xfe\0")
    assert str(second) in refusal([first, second])


def test_parts_have_one_format_and_the_same_types(tmp_path: Path) -> None:
    first, other = write(tmp_path / "a.parquet", [good("yes")]), write(tmp_path / "b.csv", [good("no")])

    assert f"data file {other}: expected .parquet, as the first is, found .csv" in refusal([first, other])
    typed = write(tmp_path / "c.parquet", [good("no") | {"age": 18.0}])
    assert f"data file {typed}: column 'age': expected int64, as the first has, found double" in refusal([first, typed])


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), cut=st.integers(0, 8))
def test_a_file_that_was_cut_is_whole_again(rows: list[tuple[str, str]], cut: int) -> None:
    with TemporaryDirectory() as folder:
        whole, parts = Path(folder) / "whole.csv", [Path(folder) / "a.csv", Path(folder) / "b.csv"]
        for file, some in zip([whole, *parts], [rows, rows[:cut], rows[cut:]], strict=True):
            with file.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream, lineterminator="\n").writerows([("one", "two"), *some])
        with data_parts.joined(parts) as joined:
            assert joined.read_bytes() == whole.read_bytes()
