"""The fast decoder never answers where the plain reading refuses, nor with other values; refusals name row, column and expectation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bodies import DATA, ROW, bodies
from hypothesis import example, given
from hypothesis import strategies as st

from paved_runtime.csv_requests import CHUNK, CsvRequests
from paved_runtime.media_types import RequestError, content
from paved_runtime.requests import Question, Requests
from paved_runtime.rules import CategoryRule, NumberRule, OptionalRule, Rule, RuleError
from paved_runtime.spec import Category
from paved_runtime.table import Table

REQUESTS, CSV_REQUESTS = Requests(DATA), CsvRequests(DATA)


def outcome(read: Callable[[bytes], Question | Table], body: bytes) -> dict[str, Any] | tuple[int, str]:
    try:
        answer = read(body)
    except RequestError as error:
        return (error.status, str(error))
    table, explain = answer[:2] if isinstance(answer, Question) else (answer, False)
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
@example(json.dumps([ROW, list(ROW.values())]).encode())
@example(json.dumps([[*ROW.values(), 1]]).encode())
def test_the_fast_reading_agrees_with_the_plain_one(body: bytes) -> None:
    answer = outcome(REQUESTS.plain, body)

    assert outcome(REQUESTS.json, body) == answer
    assert isinstance(answer, dict) or answer[0] in (400, 422)


@given(st.lists(st.fixed_dictionaries({name: st.just(value) for name, value in ROW.items()} | {"age": st.integers(18, 120)}), min_size=1))
def test_csv_and_json_read_the_same(rows: list[dict[str, Any]]) -> None:
    lines = "".join(",".join(str(row[name]) for name in DATA.columns) + "\n" for row in rows)

    assert outcome(CSV_REQUESTS.table, lines.encode()) == outcome(REQUESTS.json, json.dumps({"instances": rows}).encode())


@given(
    st.lists(st.sampled_from([ROW, list(ROW.values()), ROW | {"age": 17}, [1], 7, {}]).map(json.dumps) | bodies, max_size=4),
    st.sampled_from(["\n", "\r\n", "\n\n", ",", " ", ""]),
)
@example([json.dumps(ROW, indent=1), json.dumps(ROW) + json.dumps(ROW)], "\n")
@example([json.dumps(ROW).replace(", ", "\n, ", 1), json.dumps(ROW) + "," + json.dumps(ROW)], "\n")
def test_lines_are_read_the_same_fast_and_plainly(lines: list[str], end: str) -> None:
    body = end.join(lines).encode("utf-8", "replace")
    answer = outcome(REQUESTS.plain_lines, body)

    assert outcome(REQUESTS.lines, body) == answer
    assert isinstance(answer, dict) or answer[0] in (400, 422)


def test_json_lines_read_as_instances() -> None:
    rows = [ROW, list(ROW.values()), ROW | {"age": 20}]
    lines = "\r\n\n".join(map(json.dumps, rows)) + "\n"

    assert outcome(REQUESTS.lines, lines.encode()) == outcome(REQUESTS.json, json.dumps({"instances": rows}).encode())
    assert outcome(REQUESTS.lines, b"{\n") == (
        400,
        "row 1 is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    )
    assert outcome(REQUESTS.lines, b" \n") == (400, "the body is empty: expected one row a line")


def test_of_several_lines_the_first_wrong_one_is_named_whatever_is_wrong_with_it() -> None:
    wrong = json.dumps(ROW | {"age": 17}).encode()

    assert outcome(REQUESTS.lines, wrong + b"\n{") == (422, "row 1, column 'age': expected an integer between 18 and 120, found 17")
    assert str(outcome(REQUESTS.lines, b"{\n" + wrong)).startswith("(400, 'row 1 is not JSON")


NAMES = list(DATA.columns)
LINE = ",".join(map(str, ROW.values()))
PLAIN = outcome(CSV_REQUESTS.table, LINE.encode())


@pytest.mark.parametrize(
    "body",
    [
        LINE + "\n",
        LINE + "\r\n\r\n\n",
        "\ufeff" + LINE,
        ",".join(f'"{cell}"' for cell in ROW.values()),
        ",".join(NAMES) + "\n" + LINE,
        "\ufeff" + ",".join(f'"{name}"' for name in NAMES) + "\r\n" + LINE + "\r\n",
        ",".join(NAMES[::-1]) + "\n" + ",".join(map(str, list(ROW.values())[::-1])),
        ",".join([*NAMES[:3], "duration", *NAMES[3:], "y"])
        + "\n"
        + ",".join(map(str, [*list(ROW.values())[:3], "?", *list(ROW.values())[3:], ""])),
    ],
)
def test_csv_as_people_have_it(body: str) -> None:
    assert outcome(CSV_REQUESTS.table, body.encode()) == PLAIN


@pytest.mark.parametrize(
    ("header", "status", "message"),
    [
        (NAMES[1:], 422, "header: expected column 'age', found no such column"),
        (["", *NAMES], 422, f"header: expected columns {', '.join(NAMES)}, found ''"),
        ([*NAMES, "age"], 422, "header: expected column 'age' once, found it 2 times"),
        (NAMES, 422, "expected at least one row after the header, found none"),
        ([name.upper() for name in NAMES], 422, "row 1, column 'age': expected an integer between 18 and 120, found 'AGE'"),
    ],
)
def test_a_wrong_header(header: list[str], status: int, message: str) -> None:
    assert outcome(CSV_REQUESTS.table, (",".join(header) + "\n").encode()) == (status, message)


def test_the_content_type_says_whether_there_is_a_header() -> None:
    header = ",".join(NAMES) + "\n"

    def read(body: str, kind: str) -> Any:
        return outcome(lambda sent: REQUESTS.read(content(kind), sent), body.encode())

    assert read(header + LINE, "text/csv; header=present") == read(LINE, "text/csv; header=absent") == PLAIN
    assert read(LINE, "text/csv; header=present") == (422, f"header: expected columns {', '.join(NAMES)}, found '119'")
    assert read(header + LINE, "text/csv;header=absent") == (422, f"row 1, {AGE} 'age'")


def test_a_row_that_is_made_of_column_names_is_a_row() -> None:
    column = Category(type="category", values=("job", "none"))
    reader = CsvRequests(DATA.model_copy(update={"columns": {"job": column}}))

    assert outcome(reader.table, b"job\nnone\n")["rows"] == [[0.0], [1.0]]  # type: ignore[call-overload]
    assert outcome(lambda body: reader.table(body, header=True), b"job\nnone\n")["rows"] == [[1.0]]  # type: ignore[call-overload]


wrong_lines = st.sampled_from(["17" + LINE[LINE.index(",") :], LINE + ",1", "", "a,b", '"', LINE.replace("yes", "maybe"), ",".join(NAMES)])


@given(st.lists(st.just(LINE) | wrong_lines, max_size=6), st.sampled_from([1, CHUNK - 3, CHUNK - 1, CHUNK]))
def test_the_first_wrong_row_is_named_however_rows_are_parted(lines: list[str], before: int) -> None:
    def read(*body: str) -> dict[str, Any] | tuple[int, str]:
        return outcome(lambda sent: CSV_REQUESTS.table(sent, header=False), "\n".join(body).encode())

    near, far = read(LINE, *lines), read(*[LINE] * before, LINE, *lines)

    if isinstance(near, dict):
        assert isinstance(far, dict)
        assert far["rows"][before:] == near["rows"]
    else:
        assert far == (near[0], re.sub(r"^row (\d+)", lambda row: f"row {int(row[1]) + before}", near[1]))


@given(
    st.lists(
        st.sampled_from(
            ["", "1", "01", "+2", "-0", "20.0", "1.5", ".5", "5.", "1e2", "1e400", "1_0", " 3", "nan", "inf", "\u0661", "1\n2", "yes", "no"]
        )
    ),
    st.booleans(),
    st.booleans(),
)
def test_many_cells_are_read_as_each_alone(cells: list[str], whole: bool, optional: bool) -> None:
    for rule in (NumberRule(-5, 100, whole=whole), CategoryRule({"yes": 0.0, "no": 1.0, "1": 2.0})):
        kept: Rule = OptionalRule(rule) if optional else rule
        alone = []
        try:
            alone = [kept.parse(cell) for cell in cells]
        except RuleError:
            with pytest.raises(RuleError):
                kept.parse_all(cells)
        else:
            assert kept.parse_all(cells).tobytes() == np.array(alone, dtype=np.float64).tobytes()


@pytest.mark.parametrize(
    ("body", "table", "explain"),
    [
        (ROW, True, False),
        ([ROW, ROW], True, False),
        ([list(ROW.values()), ROW], True, False),
        ({"instances": [list(ROW.values())], "explain": True}, True, True),
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
        ([], 400, "expected at least one row, found an empty list"),
        (7, 400, 'expected {"instances": [...]}, a list of rows or one object of columns, found 7'),
        ([7], 422, "row 1: expected an object or a list with a value for each column, found 7"),
        (list(ROW.values()), 422, f"row 1: expected an object or a list with a value for each column, found {ROW['age']}"),
        ([[*ROW.values(), 1]], 422, f"row 1: expected 15 values ({', '.join(DATA.columns)}), found 16"),
        ([[17, *list(ROW.values())[1:]]], 422, "row 1, column 'age': expected an integer between 18 and 120, found 17"),
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
        ([], 422, f"row 2: expected 15 values ({', '.join(DATA.columns)}), found 0"),
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
    assert outcome(CSV_REQUESTS.table, body) == (status, message)


def test_a_wrong_csv_cell_is_named() -> None:
    good = [str(value) for value in ROW.values()]
    body = "\n".join(",".join(cells) for cells in (good, ["x, y" if cell == good[0] else cell for cell in good], good))
    quoted = body.replace("x, y", '"x, y"')

    assert outcome(CSV_REQUESTS.table, quoted.encode()) == (422, f"row 2, {AGE} 'x, y'")
