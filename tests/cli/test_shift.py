"""What a shift does to rows, and which ones are refused."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import rows, shift
from cli.problem import Problem
from paved_runtime.spec import Boolean, Date, Integer, Text
from tests import reference
from tests.support.rows import ROWS

MODEL = reference.model()


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
    changed = shifted(text)

    assert [row[column] for row in changed] == expected
    assert [{**row, column: ""} for row in changed] == [{**row, column: ""} for row in ROWS]


def test_a_share_of_the_rows_is_chosen_by_the_seed() -> None:
    once, again, other = shifted("default=yes:0.4", 1), shifted("default=yes:0.4", 1), shifted("default=yes:0.4", 2)

    assert once == again != other
    assert 0.3 < sum(row["default"] == "yes" for row in once) / len(ROWS) < 0.5


@given(st.integers(-10_000, 10_000).map(lambda by: f"{by:+d}") | st.integers(0, 1000).map(lambda by: f"*{by}"))
def test_numbers_stay_where_requests_may_have_them(change: str) -> None:
    accepted = MODEL.data.columns["balance"]
    assert isinstance(accepted, Integer)

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
    emptied = shift.apply([shift.parse("balance=:0.5", model)], ROWS, 0)
    then = shift.apply([shift.parse("balance=*2", model)], emptied, 0)

    assert 0.4 < sum(row["balance"] == "" for row in emptied) / len(ROWS) < 0.6
    assert [row["balance"] == "" for row in then] == [row["balance"] == "" for row in emptied]
    assert rows.request({**ROWS[0], "balance": ""}, model)["balance"] is None


DATED = MODEL.model_copy(
    update={
        "data": MODEL.data.model_copy(
            update={
                "columns": {
                    "opened": Date(type="date", minimum=date(2020, 1, 1), maximum=date(2026, 12, 31), missing=0.5),
                    "active": Boolean(type="boolean", true="Y", false="N"),
                    "note": Text(type="text", maximum_length=5, missing=0.5),
                }
            }
        )
    }
)


def test_dates_are_moved_by_days_and_stay_in_their_range() -> None:
    known = [{"opened": day, "active": "Y"} for day in ("2026-02-28", "2026-12-30", "")]

    assert [row["opened"] for row in shift.apply([shift.parse("opened=+3", DATED)], known, 0)] == ["2026-03-03", "2026-12-31", ""]
    assert [row["opened"] for row in shift.apply([shift.parse("opened=-9999", DATED)], known, 0)] == ["2020-01-01", "2020-01-01", ""]
    assert [row["opened"] for row in shift.apply([shift.parse("opened=2021-05-01", DATED)], known, 0)] == ["2021-05-01", "2021-05-01", ""]
    assert [row["active"] for row in shift.apply([shift.parse("active=N", DATED)], known, 0)] == ["N", "N", "N"]


def test_a_request_has_them_as_json_does() -> None:
    full, empty = {"opened": "2026-02-28", "active": "Y", "note": "12"}, {"opened": "", "active": "N", "note": ""}

    assert rows.request(full | {"y": "no"}, DATED) == {"opened": "2026-02-28", "active": True, "note": "12"}
    assert rows.request(empty | {"y": "no"}, DATED) == {"opened": None, "active": False, "note": None}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("opened=*2", "expected +N or -N days or a date between 2020-01-01 and 2026-12-31"),
        ("opened=+1.5", "expected +N or -N days"),
        ("opened=2027-01-01", "found '2027-01-01'"),
        ("opened=2026-02-30", "found '2026-02-30'"),
        ("active=true", "expected one of 'N', 'Y'"),
        ("note=longer", "expected a text of 1 to 5 characters, found 'longer'"),
    ],
)
def test_a_shift_that_no_date_or_boolean_has_is_refused(text: str, why: str) -> None:
    with pytest.raises(Problem) as raised:
        shift.parse(text, DATED)
    assert why in str(raised.value)
