"""A valid frame passes in any order of rows and columns; a frame that is wrong in one place is refused, naming that place."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from frames import COLUMNS, DATA, Frame, frames, read
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import contract
from paved_runtime.rules import rules
from paved_runtime.spec import Category, ModelSpec

NUMBERS = [name for name, column in DATA.columns.items() if not isinstance(column, Category)]
CATEGORIES = [name for name, column in DATA.columns.items() if isinstance(column, Category)]


def refused(frame: Frame, columns: list[str]) -> contract.Check:
    with pytest.raises(contract.ContractError) as caught:
        read(frame, columns)
    (violation,) = caught.value.violations
    assert violation.column in str(caught.value)
    assert "\n" not in str(caught.value)
    heading, line = caught.value.table().splitlines()
    assert heading.split() == ["column", "rule", "found", "allowed", "rows", "first", "rows"]
    assert violation.rule in line
    return violation


@given(frames, st.permutations(COLUMNS))
def test_columns_come_in_any_order(frame: Frame, columns: list[str]) -> None:
    once, again = read(frame, COLUMNS), read(frame, columns)

    assert np.array_equal(once.table.values, again.table.values)
    assert once.labels.tolist() == [row["y"] == "yes" for row in frame]
    assert once.table["age"].tolist() == [float(row["age"]) for row in frame]


@given(frames)
def test_what_is_written_reads_back(frame: Frame) -> None:
    examples = read(frame, COLUMNS)
    with TemporaryDirectory() as folder:
        contract.write(Path(folder) / "part.csv", examples, DATA)
        again = contract.read(Path(folder), DATA)

    assert np.array_equal(examples.table.values, again.table.values)
    assert np.array_equal(examples.labels, again.labels)


@given(frames, st.sampled_from([*DATA.columns, DATA.target]))
def test_a_missing_column_is_named(frame: Frame, column: str) -> None:
    violation = refused(frame, [name for name in COLUMNS if name != column])

    assert (violation.column, violation.rule) == (column, "absent")


@given(frames, st.text(st.characters(categories=["L"]), min_size=1).filter(lambda name: name not in COLUMNS))
def test_an_unexpected_column_is_named(frame: Frame, column: str) -> None:
    violation = refused([row | {column: "1"} for row in frame], [*COLUMNS, column])

    assert (violation.column, violation.rule) == (column, "unexpected")


@given(frames, st.sampled_from(COLUMNS))
def test_a_repeated_column_is_named(frame: Frame, column: str) -> None:
    violation = refused(frame, [*COLUMNS, column])

    assert (violation.column, violation.rule) == (column, "repeated")


def test_excluded_columns_may_be_absent(model_spec: ModelSpec) -> None:
    frame = [{name: str(getattr(c, "minimum", getattr(c, "values", "?")[0:1])) for name, c in model_spec.data.columns.items()}]
    frame = [{**row, **{name: DATA.columns[name].values[0] for name in CATEGORIES}} for row in frame]  # type: ignore[union-attr]

    assert len(read([frame[0] | {"y": "yes"}, frame[0] | {"y": "no"}], [name for name in COLUMNS if name != "duration"])) == 2


NOT_INTEGERS = ["", " ", "x", "1.5", "1_0", "0x10", "nan", "NaN", "null", "\u0663", "1,5", " 20", "True", "--1"]
OUTSIDE = ["-99999999999", "99999999999", "1e300", "1e999", "9" * 400]


@given(frames, st.sampled_from(NUMBERS), st.sampled_from(NOT_INTEGERS), st.data())
def test_a_wrong_type_is_named(frame: Frame, column: str, cell: str, data: st.DataObject) -> None:
    broken(frame, column, cell, "type", data)


@given(frames, st.sampled_from(NUMBERS), st.sampled_from(OUTSIDE), st.data())
def test_a_value_out_of_range_is_named(frame: Frame, column: str, cell: str, data: st.DataObject) -> None:
    broken(frame, column, cell, "range", data)


@given(frames, st.sampled_from(CATEGORIES), st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.data())
def test_an_unknown_category_is_named(frame: Frame, column: str, cell: str, data: st.DataObject) -> None:
    category = DATA.columns[column]
    assert isinstance(category, Category)
    if cell not in category.values:
        broken(frame, column, cell, "category", data)


def broken(frame: Frame, column: str, cell: str, rule: str, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(frame) - 1))
    frame = [dict(line) for line in frame]
    frame[row][column] = cell
    violation = refused(frame, COLUMNS)

    assert (violation.column, violation.rule, violation.count, violation.rows) == (column, rule, 1, (row + 1,))


LIKE_YES, LIKE_NO = "spelt 'yes' it would be an outcome", "spelt 'no' it would be an outcome"
NEITHER = {
    **dict.fromkeys(["Yes", "YES", " yes", "yes\t"], LIKE_YES),
    **dict.fromkeys(["No", "no "], LIKE_NO),
    **dict.fromkeys(["", " ", "\t"], "leave out the rows whose outcome is not known"),
    **dict.fromkeys(["maybe", "not yes", "1", "nan"], "correct the cell, or leave out the row"),
}


@given(frames, st.sampled_from(sorted(NEITHER)), st.data())
def test_a_target_that_is_neither_outcome_is_named(frame: Frame, value: str, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(frame)))
    violation = refused([*frame[:row], frame[0] | {"y": value}, *frame[row:]], COLUMNS)

    assert (violation.column, violation.rule, violation.count, violation.rows) == ("y", "target", 1, (row + 1,))
    assert (violation.found, violation.allowed) == (repr(value), "'yes' or 'no'")
    assert violation.advice.startswith(NEITHER[value])


@pytest.mark.parametrize("value", ["", "Yes", "No "])
def test_an_outcome_that_is_never_spelt_right_is_refused(value: str) -> None:
    """Every row of one outcome was emptied, or written otherwise: no other text stands for it."""
    row = dict.fromkeys(COLUMNS, "?")
    with pytest.raises(contract.ContractError) as caught:
        read([row | {"y": "yes"}, row | {"y": value}, row | {"y": value}], COLUMNS)
    (violation,) = [check for check in caught.value.violations if check.column == "y"]

    assert (violation.rule, violation.found, violation.count, violation.rows) == ("target", repr(value), 2, (2, 3))


def test_cells_that_ask_for_another_correction_are_listed_apart() -> None:
    row = dict.fromkeys(COLUMNS, "?")
    with pytest.raises(contract.ContractError) as caught:
        read([row | {"y": value} for value in ("yes", "no", "Yes", "", "NO", "YES ", "perhaps")], COLUMNS)
    violations = {check.found: check.rows for check in caught.value.violations if check.column == "y"}

    assert violations == {"'Yes', 'YES '": (3, 6), "''": (4,), "'NO'": (5,), "'perhaps'": (7,)}


def test_rows_are_written_with_the_outcomes_that_are_declared(tmp_path: Path) -> None:
    """So what was written is read back under the same contract."""
    data = DATA.model_copy(update={"positive": "bought", "negative": "left"})
    row = {name: str(rule.spell(0)) for name, rule in rules(DATA).items()} | {"age": "18", "day": "1", "campaign": "1"}
    examples = read([row | {"y": outcome} for outcome in ("left", "bought")], [*DATA.columns, "y"], data)
    contract.write(tmp_path / "part.csv", examples, data)

    assert [line.rpartition(",")[2] for line in (tmp_path / "part.csv").read_text().splitlines()] == ["y", "left", "bought"]
    assert contract.read(tmp_path, data).labels.tolist() == [0, 1]


@given(frames, st.sampled_from(["yes", "no"]))
def test_a_target_without_both_outcomes_is_named(frame: Frame, only: str) -> None:
    violation = refused([row | {"y": only} for row in frame], COLUMNS)

    assert (violation.column, violation.rule) == ("y", "target")


def test_all_violations_are_collected() -> None:
    frame = [dict.fromkeys(COLUMNS, "?") | {"y": outcome} for outcome in ("yes", "no")]
    with pytest.raises(contract.ContractError) as caught:
        read(frame, COLUMNS)

    assert [v.column for v in caught.value.violations] == list(DATA.columns)
    assert len(caught.value.table().splitlines()) == 1 + len(DATA.columns)
    assert str(caught.value).count("correct the data, or model.toml") == 1


def test_violations_of_the_header_and_of_the_cells_are_collected() -> None:
    frame = [dict.fromkeys(COLUMNS, "?") | {"colour": "red", "y": outcome} for outcome in ("yes", "no", "perhaps")]
    columns = [name for name in [*COLUMNS, "colour", "job"] if name not in ("age", "balance")]
    with pytest.raises(contract.ContractError) as caught:
        read(frame, columns)
    broken = [(v.column, v.rule) for v in caught.value.violations]

    assert broken[:4] == [("age", "absent"), ("balance", "absent"), ("colour", "unexpected"), ("job", "repeated")]
    assert [column for column, _ in broken[4:]] == [name for name in DATA.columns if name not in ("age", "balance", "job")] + ["y"]


def test_of_several_files_the_wrong_one_is_named(tmp_path: Path, data: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data.read_bytes())
    (tmp_path / "b.csv").write_text(data.read_text().replace("age,", "years,", 1))
    with pytest.raises(contract.ContractError, match=r"^a.csv, b.csv breaks the data contract") as caught:
        contract.read(tmp_path, DATA)

    assert [(v.column, v.found) for v in caught.value.violations] == [("age", "no such column in b.csv"), ("years", "this column in b.csv")]


def test_rows_of_several_files_are_counted_through(tmp_path: Path, data: Path) -> None:
    lines = data.read_text().splitlines(keepends=True)
    (tmp_path / "a.csv").write_text("".join(lines[:11]))
    (tmp_path / "b.csv").write_text("".join([lines[0], lines[11], "x" + lines[12]]))
    with pytest.raises(contract.ContractError) as caught:
        contract.read(tmp_path, DATA)

    assert [(v.column, v.rows) for v in caught.value.violations] == [("age", (12,))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (",".join(COLUMNS).encode() + b"\n", "found a header and no rows"),
        (",".join(COLUMNS).encode() + b"\n1,2\n", "column 'marital': expected 17 cells a row, found 2 (1 row, first 1)"),
        (b"age,job\n1,2\n", "column 'y': expected columns age, job"),
        (",".join(COLUMNS).encode() + b"\n\n\n1,2\n", "expected 17 cells a row, found 0, 2 (3 rows, first 1)"),
        (b'"age";"job"\n"1";"2"\n', "expected CSV with commas, found semicolons in the header"),
        (b"age\tjob\n1\t2\n", "expected CSV with commas, found tabs in the header"),
        (",".join(COLUMNS).encode() + b"\n\xff\n", "CSV in UTF-8"),
        (",".join(COLUMNS).encode() + b'\n"\n', "CSV in UTF-8"),
        (b"\x89PNG\r\n", "CSV in UTF-8"),
    ],
)
def test_a_file_that_is_no_data_set(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "data.csv").write_bytes(content)

    with pytest.raises(contract.ContractError, match=r"data\.csv breaks the data contract") as caught:
        contract.read(tmp_path, DATA)
    assert message in str(caught.value)


def test_an_empty_channel(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \*\.csv in"):
        contract.read(tmp_path, DATA)


def test_a_byte_order_mark_and_several_files(tmp_path: Path, data: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + data.read_bytes())

    assert len(contract.read(tmp_path, DATA)) == 8000


def test_blank_lines_at_the_end_are_no_rows(tmp_path: Path, data: Path) -> None:
    (tmp_path / "data.csv").write_bytes(data.read_bytes() + b"\r\n\n")

    assert len(contract.read(tmp_path, DATA)) == 4000


OPTIONAL = DATA.model_copy(update={"columns": {name: column.model_copy(update={"missing": 0.5}) for name, column in DATA.columns.items()}})


@given(frames, st.lists(st.tuples(st.integers(0, 1), st.sampled_from([*DATA.columns])), max_size=8))
def test_where_cells_may_be_missing_an_empty_one_is_nan_and_nothing_else_changes(frame: Frame, empty: list[tuple[int, str]]) -> None:
    whole = read(frame, COLUMNS)
    emptied = [dict(row) for row in frame]
    for row, name in empty:
        emptied[row][name] = ""
        whole.table[name][row] = np.nan
    part = read(emptied, COLUMNS, OPTIONAL)
    with TemporaryDirectory() as folder:
        contract.write(Path(folder) / "part.csv", part, OPTIONAL)
        again = contract.read(Path(folder), OPTIONAL)

    assert np.array_equal(part.table.values, whole.table.values, equal_nan=True)
    assert np.array_equal(again.table.values, whole.table.values, equal_nan=True)


@given(frames, st.sampled_from([*DATA.columns]), st.sampled_from([" ", "nan", "NaN", "null", "None", "NA", "?"]))
def test_where_cells_may_be_missing_only_an_empty_one_is(frame: Frame, column: str, cell: str) -> None:
    with pytest.raises(contract.ContractError, match="null or an empty cell, found") as caught:
        read([frame[0] | {column: cell}, *frame[1:]], COLUMNS, OPTIONAL)

    assert [violation.column for violation in caught.value.violations] == [column]


def test_a_negative_zero_is_a_zero() -> None:
    frame = [{name: str(getattr(c, "minimum", getattr(c, "values", "?")[0])) for name, c in DATA.columns.items()} | {"duration": ""}]
    frame = [{**row, **{name: DATA.columns[name].values[0] for name in CATEGORIES}} for row in frame]  # type: ignore[union-attr]
    both = read([frame[0] | {"balance": "-0", "y": "yes"}, frame[0] | {"balance": "0", "y": "no"}], COLUMNS)

    assert both.table.values[0].tobytes() == both.table.values[1].tobytes()


def test_parquet_without_pyarrow_says_what_to_add_and_where(tmp_path: Path) -> None:
    """The sample's image has no pyarrow, and neither has its environment here."""
    (tmp_path / "data.parquet").write_bytes(b"PAR1")

    with pytest.raises(contract.ContractError, match=r"^data\.parquet breaks the data contract: .* no pyarrow to read it") as caught:
        contract.read(tmp_path, DATA)
    assert "extra `parquet` to the model's requirements.in and run ./road lock" in str(caught.value)
