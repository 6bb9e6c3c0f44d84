"""Traffic that is sent on purpose: what a shift does to rows, which rows are in which request, and the labels that belong to them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import labels, rows, shift
from cli.problem import Problem
from cli.traffic import Traffic
from model_code import spec
from model_code.lead_scoring import synthetic
from model_code.spec import Category

MODEL = spec.load("lead_scoring")
ROWS = [dict(zip(synthetic.HEADER, map(str, row), strict=True)) for row in synthetic.rows(200, seed=1)]


def shifted(text: str, seed: int = 0) -> list[rows.Row]:
    return shift.apply([shift.parse(text, MODEL)], ROWS, seed)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("age=+10", "age", [str(min(120, int(row["age"]) + 10)) for row in ROWS]),
        ("age=-10", "age", [str(max(18, int(row["age"]) - 10)) for row in ROWS]),
        ("balance=*2", "balance", [str(2 * int(row["balance"])) for row in ROWS]),
        ("balance=7", "balance", ["7"] * len(ROWS)),
        ("contact=cellular", "contact", ["cellular"] * len(ROWS)),
    ],
)
def test_a_shift_changes_its_column_alone(text: str, column: str, expected: list[str]) -> None:
    found = shifted(text)

    assert [row[column] for row in found] == expected
    assert [{**row, column: ""} for row in found] == [{**row, column: ""} for row in ROWS]


def test_a_share_of_the_rows_is_chosen_by_the_seed() -> None:
    once, again, other = shifted("default=yes:0.4", 1), shifted("default=yes:0.4", 1), shifted("default=yes:0.4", 2)

    assert once == again != other
    assert 0.3 < sum(row["default"] == "yes" for row in once) / len(ROWS) < 0.5


@given(st.integers(-10_000, 10_000).map(lambda by: f"{by:+d}") | st.integers(0, 1000).map(lambda by: f"*{by}"))
def test_numbers_stay_where_requests_may_have_them(change: str) -> None:
    accepted = MODEL.data.columns["balance"]
    assert not isinstance(accepted, Category)

    assert all(accepted.minimum <= int(row["balance"]) <= accepted.maximum for row in shifted(f"balance={change}"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("height=+1", "expected COLUMN=CHANGE with one of age, job"),
        ("age", "expected COLUMN=CHANGE"),
        ("age=old", "expected +N, -N, *N or a number between 18 and 120, found 'old'"),
        ("age=+x", "found '+x'"),
        ("age=18.5", "found '18.5'"),
        ("age=7", "found '7'"),
        ("job=king", "expected one of 'admin.'"),
        ("job=:0.2", "model.toml lets no cell of job be empty"),
        ("job=student:2", "found 'student:2'"),
    ],
)
def test_a_shift_that_cannot_be_is_refused(text: str, why: str) -> None:
    with pytest.raises(Problem, match=r"^--shift ") as raised:
        shift.parse(text, MODEL)
    assert why in str(raised.value)
    assert raised.value.code == 2


def test_cells_are_emptied_where_the_contract_lets_them() -> None:
    column = MODEL.data.columns["balance"].model_copy(update={"missing": 0.5})
    model = MODEL.model_copy(update={"data": MODEL.data.model_copy(update={"columns": {**MODEL.data.columns, "balance": column}})})
    found = shift.apply([shift.parse("balance=:0.5", model)], ROWS, 0)
    then = shift.apply([shift.parse("balance=*2", model)], found, 0)

    assert 0.4 < sum(row["balance"] == "" for row in found) / len(ROWS) < 0.6
    assert [row["balance"] == "" for row in then] == [row["balance"] == "" for row in found]
    assert rows.request({**ROWS[0], "balance": ""}, model)["balance"] is None


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_every_row_is_in_one_request_and_has_one_id(batch: int, tmp_path: Path) -> None:
    going = Traffic(model=MODEL, rows=ROWS, batch=batch)
    asked = [going.request(number) for number in range(going.requests)]
    instances = {own: json.loads(body)["instances"] for own, body in asked}

    assert [instance for part in instances.values() for instance in part] == [rows.request(row, MODEL) for row in ROWS]
    expected = [own if batch == 1 else f"{own}/{place}" for own, part in instances.items() for place in range(len(part))]
    assert going.ids() == expected
    with going.labels(tmp_path / "labels.csv").open() as stream:
        assert list(csv.DictReader(stream)) == [{"inference_id": own, "label": row["y"]} for own, row in zip(expected, ROWS, strict=True)]
    assert labels.check(tmp_path / "labels.csv", MODEL).rows == len(ROWS)


def test_two_traffics_share_no_id() -> None:
    one, other = (Traffic(model=MODEL, rows=ROWS) for _ in range(2))

    assert not set(one.ids()) & set(other.ids())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "expected the header inference_id,label"),
        ("id,label\na,yes\n", "expected the header inference_id,label"),
        ("inference_id,label\n", "there are no labels in it"),
        ("inference_id,label\na\n", "row 1: expected an inference id and a label of lead_scoring, found 'a'"),
        ("inference_id,label\na,\n", "row 1: expected an inference id and a label"),
        ("inference_id,label\na,yes\na,no\n", "row 2: inference id 'a' has another label in row 1"),
        ("inference_id,label\na,maybe\nb,no\n", "expected 'yes' and one other label, found 'maybe', 'no'"),
        ('inference_id,label\n"a,yes\n', "not CSV in UTF-8"),
    ],
)
def test_labels_that_cannot_be_are_refused(content: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(content)
    with pytest.raises(Problem) as raised:
        labels.check(file, MODEL)
    assert why in str(raised.value)


def test_the_same_label_twice_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("inference_id,label\na,yes\na,yes\nb,no\n")

    assert (labels.check(file, MODEL).rows, labels.check(file, MODEL).positive) == (2, 1)
