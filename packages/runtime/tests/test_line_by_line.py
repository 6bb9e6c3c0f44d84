"""In a transform job every line of a request has an answer of its own; anywhere else a request is answered, or refused, as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bodies import ROW, bodies
from hypothesis import given
from hypothesis import strategies as st
from server import Server

from paved_runtime.invocations import LIMIT, Invocations
from paved_runtime.line_by_line import BLOCK, NO_SCORE, LineByLine
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Matrix, Table

BAD = ROW | {"age": "x"}
REASON = "column 'age': expected an integer between 18 and 120, found 'x'"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def batch(invocations: Invocations) -> LineByLine:
    return LineByLine(invocations, LIMIT)


def lines(*rows: object) -> bytes:
    return b"".join((row.encode() if isinstance(row, str) else json.dumps(row).encode()) + b"\n" for row in rows)


def answers(batch: LineByLine, body: bytes) -> list[Json]:
    reply = batch.reply(LINES, body, LINES)
    assert (reply.status, reply.content_type) == (200, LINES)
    return [json.loads(line) for line in reply.body.splitlines()]


def test_rows_that_are_right_get_the_ordinary_answer(batch: LineByLine, invocations: Invocations) -> None:
    body = lines(*(ROW | {"age": 20 + number % 90} for number in range(2 * BLOCK + 1)))
    reply, ordinary = batch.reply(LINES, body), invocations.reply(LINES, body)

    assert reply.body == ordinary.body
    assert list(reply.scores) == list(ordinary.scores)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (BAD, REASON),
        ("", "empty: expected one row a line"),
        ("  ", "empty: expected one row a line"),
        ("{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[" * 100_000, "nested too deeply"),
        ("7", "expected an object or a list with a value for each column, found 7"),
        ([1], f"expected {len(ROW)} values ({', '.join(ROW)}), found 1"),
        ({}, "column 'age': expected an integer between 18 and 120, found nothing"),
        (ROW | {"more": 1}, f"column 'more': expected no such column, only {', '.join(ROW)}"),
        ('{"age": NaN}', "not JSON: NaN is no JSON number"),
    ],
)
def test_a_line_that_is_wrong_is_answered_with_what_is_wrong(batch: LineByLine, line: object, reason: str) -> None:
    (score,) = answers(batch, lines(ROW))

    assert answers(batch, lines(ROW, line, ROW)) == [score, {"error": reason}, score]
    assert answers(batch, lines(line)) == [{"error": reason}]
    assert list(batch.reply(LINES, lines(ROW, line)).scores) == [score["score"]]


def test_bytes_that_are_no_text_are_one_lines_own(batch: LineByLine) -> None:
    score, error = answers(batch, lines(ROW) + b"\xff\n")

    assert "score" in score
    assert error == {"error": "not UTF-8: byte 0 is wrong"}


@given(rows=st.lists(bodies.filter(lambda body: "\n" not in body), min_size=1, max_size=8))
def test_there_is_an_answer_to_each_line_the_one_that_it_gets_alone(batch: LineByLine, rows: list[str]) -> None:
    body = b"".join(row.encode("utf-8", "surrogatepass") + b"\n" for row in rows)
    together = answers(batch, body)

    assert together == [answer for line in body.split(b"\n")[:-1] for answer in answers(batch, line)]
    assert all(answer.keys() in ({"score"}, {"error"}) for answer in together)


class Doubtful(Invocations):
    """A model that knows nothing of a certain age."""

    def scores(self, table: Table) -> Matrix:
        return np.where(table["age"] == 50, np.float32(np.nan), super().scores(table))


def test_a_score_that_is_no_number_is_one_lines_own(trained: Path, model_spec: ModelSpec) -> None:
    batch = LineByLine(Doubtful.load(model_spec, trained / "model"), LIMIT)
    first, second, third = answers(batch, lines(ROW, ROW | {"age": 50}, ROW))

    assert "score" in first
    assert (second, third) == ({"error": NO_SCORE}, first)


def test_what_is_no_request_of_lines_is_answered_as_ever(batch: LineByLine, invocations: Invocations) -> None:
    wrong = json.dumps({"instances": [ROW, BAD]}).encode()
    for kind, body, accept in [(JSON, wrong, ""), (JSON, json.dumps(ROW).encode(), LINES), (CSV, b"1,2", ""), (LINES, lines(BAD), CSV)]:
        assert batch.reply(kind, body, accept) == invocations.reply(kind, body, accept)
    assert batch.reply("image/png", b"").status == 415
    assert batch.reply(LINES, lines(ROW), "image/png").status == 406


def test_a_request_may_be_as_large_as_the_job_says(invocations: Invocations) -> None:
    body = lines(ROW) * (LIMIT // len(lines(ROW)) + 1)

    assert LineByLine(invocations, 2 * LIMIT).limit == 2 * LIMIT
    assert LineByLine(invocations, 0).reply(LINES, body).status == 413
    assert LineByLine(invocations, len(body)).reply(LINES, body[: len(body)]).status == 200


def test_the_container_is_told_of_the_job_by_its_environment(trained: Path) -> None:
    body = lines(*[ROW] * 40_000, BAD)
    with Server(trained, SAGEMAKER_BATCH="true", SAGEMAKER_MAX_PAYLOAD_IN_MB="20") as server:
        reply = server.client.post("/invocations", content=body, headers={"content-type": LINES, "accept": LINES})
        written = reply.text.splitlines()

        assert len(body) > LIMIT
        assert (reply.status_code, len(written), json.loads(written[-1])) == (200, 40_001, {"error": REASON})
        assert server.client.get("/ping").status_code == 200
        assert server.stop() in (0, -15)


@pytest.mark.parametrize("variables", [{}, {"SAGEMAKER_BATCH": "false"}])
def test_any_other_server_refuses_the_whole_request(trained: Path, variables: dict[str, str]) -> None:
    with Server(trained, **variables) as server:
        reply = server.client.post("/invocations", content=lines(ROW, BAD), headers={"content-type": LINES})

    assert (reply.status_code, reply.json()) == (422, {"error": f"row 2, {REASON}"})
