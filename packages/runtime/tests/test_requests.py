"""The fast decoder never answers where the plain reading refuses, nor with other values; refusals name row, column and expectation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bodies import DATA, ROW, bodies
from hypothesis import example, given
from hypothesis import strategies as st

from paved_runtime.requests import Question, RequestError, Requests
from paved_runtime.table import Table

REQUESTS = Requests(DATA)


def outcome(read: Callable[[bytes], Question | Table], body: bytes) -> dict[str, Any] | tuple[int, str]:
    try:
        answer = read(body)
    except RequestError as error:
        return (error.status, str(error))
    table, explain = answer if isinstance(answer, Question) else (answer, False)
    return {"rows": None if table is None else table.values.tolist(), "explain": explain}


@given(bodies.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=40))
@example(json.dumps(ROW).replace("{", '{"age": 20, ', 1).encode())
@example(json.dumps({"instances": [ROW], "instance": 1}).encode())
@example(b'{"instances": [], "instances": [' + json.dumps(ROW).encode() + b"]}")
@example(json.dumps({**ROW, "duration": {"\udcff": ["\udcff"]}}).encode())
@example(json.dumps(ROW).replace('"age"', '"\\u0061ge"').encode())
@example(json.dumps({"instances": [ROW], "explain": True}).encode())
@example(json.dumps({"instances": [ROW], "explain": False}).encode())
@example(json.dumps({"instances": [ROW], "explain": True}).replace('"explain"', '"\\u0065xplain"').encode())
@example(json.dumps({"instances": [ROW], "explain": True}).replace("{", '{"explain": true, ', 1).encode())
@example(json.dumps({"instances": [ROW], "explain": 1}).encode())
@example(b'{"describe": true}')
def test_the_fast_reading_agrees_with_the_plain_one(body: bytes) -> None:
    answer = outcome(REQUESTS.plain, body)

    assert outcome(REQUESTS.json, body) == answer
    assert isinstance(answer, dict) or answer[0] in (400, 422)


@given(st.lists(st.fixed_dictionaries({name: st.just(value) for name, value in ROW.items()} | {"age": st.integers(18, 120)}), min_size=1))
def test_csv_and_json_read_the_same(rows: list[dict[str, Any]]) -> None:
    lines = "".join(",".join(str(row[name]) for name in DATA.columns) + "\n" for row in rows)

    assert outcome(REQUESTS.csv, lines.encode()) == outcome(REQUESTS.json, json.dumps({"instances": rows}).encode())


@pytest.mark.parametrize(
    ("body", "table", "explain"),
    [
        (ROW, True, False),
        ({"instances": [ROW]}, True, False),
        ({"instances": [ROW], "explain": False}, True, False),
        ({"instances": [ROW], "explain": True}, True, True),
        ({"explain": True, "instances": [ROW]}, True, True),
        ({"describe": True}, False, False),
    ],
)
def test_what_is_asked(body: object, table: bool, explain: bool) -> None:
    question = REQUESTS.json(json.dumps(body).encode())

    assert (question.table is not None, question.explain) == (table, explain)


ALONE = 'expected the one key "describe" beside no other'
BATCH = 'expected the one key "instances" beside no other than "explain"'


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"instances": [ROW], "explain": "yes"}, 422, "expected \"explain\" to be true or false, found 'yes'"),
        ({"instances": [ROW], "explain": 1}, 422, 'expected "explain" to be true or false, found 1'),
        ({"instances": [ROW], "explain": None}, 422, 'expected "explain" to be true or false, found null'),
        ({"instances": [ROW], "describe": True}, 400, ALONE),
        ({"instances": [], "explain": True}, 422, 'expected at least one row in "instances", found none'),
        ({"instances": [ROW], "explain": True, "more": 1}, 400, BATCH),
        ({"explain": True}, 400, BATCH),
        (ROW | {"explain": True}, 400, BATCH),
        (ROW | {"describe": True}, 400, ALONE),
        ({"describe": True, "explain": True}, 400, ALONE),
        ({"describe": False}, 422, 'expected "describe" to be true, found false'),
        ({"describe": [1]}, 422, 'expected "describe" to be true, found a list'),
    ],
)
def test_what_cannot_be_asked(body: object, status: int, message: str) -> None:
    assert outcome(REQUESTS.json, json.dumps(body).encode()) == (status, message)


def test_the_same_question_twice_is_refused() -> None:
    assert outcome(REQUESTS.json, b'{"describe": true, "describe": true}') == (400, ALONE)
    assert outcome(REQUESTS.json, b'{"explain": true, "explain": true, "instances": [' + json.dumps(ROW).encode() + b"]}") == (400, BATCH)


AGE = "column 'age': expected an integer between 18 and 120, found"


@pytest.mark.parametrize(
    ("second", "status", "message"),
    [
        (ROW | {"age": "x"}, 422, f"row 2, {AGE} 'x'"),
        (ROW | {"age": "58"}, 422, f"row 2, {AGE} '58'"),
        (ROW | {"age": 17}, 422, f"row 2, {AGE} 17"),
        (ROW | {"age": 10**400}, 422, f"row 2, {AGE} inf"),
        (ROW | {"age": True}, 422, f"row 2, {AGE} true"),
        (ROW | {"age": None}, 422, f"row 2, {AGE} null"),
        (ROW | {"age": {"a": 1}}, 422, f"row 2, {AGE} an object"),
        (ROW | {"age": "x" * 1000}, 422, f"row 2, {AGE} '{'x' * 40}'"),
        (ROW | {"loan": "Yes"}, 422, "row 2, column 'loan': expected one of 'no', 'yes', found 'Yes'"),
        (ROW | {"loan": "\ud800"}, 422, "row 2, column 'loan': expected one of 'no', 'yes', found '\\ud800'"),
        ({name: ROW[name] for name in ROW if name != "age"}, 422, f"row 2, {AGE} nothing"),
        (ROW | {"agee": 1}, 422, f"row 2, column 'agee': expected no such column, only {', '.join(DATA.columns)}"),
        ([], 422, "row 2: expected an object with a value for each column, found a list"),
    ],
)
def test_a_wrong_row_is_named(second: object, status: int, message: str) -> None:
    assert outcome(REQUESTS.json, json.dumps({"instances": [ROW, second]}).encode()) == (status, message)


def test_whole_numbers_may_be_written_as_floats_and_excluded_columns_are_ignored() -> None:
    plain = outcome(REQUESTS.json, json.dumps(ROW).encode())

    assert outcome(REQUESTS.json, json.dumps(ROW | {"age": float(ROW["age"]), "duration": ["?"], "y": "yes"}).encode()) == plain


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the body is empty: expected one row a line"),
        (b"\xff", 400, "the body is not UTF-8: byte 0 is wrong"),
        (b"1,2\n", 422, f"row 1: expected 15 cells ({', '.join(DATA.columns)}), found 2"),
        (b'"', 400, "the body is not CSV: unexpected end of data"),
    ],
)
def test_a_wrong_csv_body(body: bytes, status: int, message: str) -> None:
    assert outcome(REQUESTS.csv, body) == (status, message)


def test_a_wrong_csv_cell_is_named() -> None:
    good = [str(value) for value in ROW.values()]
    body = "\n".join(",".join(cells) for cells in (good, ["x, y" if cell == good[0] else cell for cell in good], good))
    quoted = body.replace("x, y", '"x, y"')

    assert outcome(REQUESTS.csv, quoted.encode()) == (422, f"row 2, {AGE} 'x, y'")
