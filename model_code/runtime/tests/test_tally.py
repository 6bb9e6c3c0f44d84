"""The lines from which CloudWatch Logs makes metrics: what they say, when they come, and that none is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code.runtime import artifact
from model_code.runtime.golden import replay
from model_code.runtime.invocations import CSV, JSON, Invocations, Reply, refusal
from model_code.runtime.job import Job
from model_code.runtime.serving import application
from model_code.runtime.tally import ROWS, Tally
from model_code.runtime.tests.test_requests import ROW
from model_code.runtime.tests.test_serving import Server, call
from model_code.spec import ModelSpec

Line = dict[str, Any]
LOW = 10_000.0  # seconds: no line because of time


def scored(*scores: float) -> Reply:
    return Reply(200, JSON, b"", scores)


def counted(*replies: Reply) -> tuple[Tally, list[Line]]:
    """A tally that has noted these replies, and where its lines go."""
    lines: list[Line] = []
    tally = Tally("0123456789ab", seconds=LOW, write=lambda line: lines.append(json.loads(line)))
    for reply in replies:
        tally.note(reply)
    return tally, lines


def test_a_line_comes_after_so_many_rows_and_says_how_they_are_spread() -> None:
    scores = [number / 100 for number in range(ROWS)]
    _, early = counted(*map(scored, scores[:-1]))
    _, lines = counted(*map(scored, scores[::-1]))

    assert early == []
    assert lines == [
        {
            "event": "scores",
            "model_version": "0123456789ab",
            "rows": ROWS,
            "mean": pytest.approx(np.mean(scores), abs=1e-6),
            **{f"p{percent}": pytest.approx(np.quantile(scores, percent / 100), abs=1e-6) for percent in (10, 50, 90)},
        }
    ]


@given(st.lists(st.lists(st.floats(0, 1, width=32), max_size=2 * ROWS) | st.just(None), max_size=3 * ROWS))
def test_every_row_and_every_refusal_is_told_once(answers: list[list[float] | None]) -> None:
    tally, lines = counted(*(refusal(422, "no") if scores is None else scored(*scores) for scores in answers))
    tally.tell()
    tally.tell()

    rows = [score for scores in answers for score in scores or []]
    told = [line for line in lines if line["event"] == "scores"]
    assert sum(line["rows"] for line in told) == len(rows)
    assert sum(line["requests"] for line in lines if line["event"] == "refused") == answers.count(None)
    assert sum(line["rows"] * line["mean"] for line in told) == pytest.approx(sum(rows), abs=1e-5 * (1 + len(rows)))
    assert all(0 <= line["p10"] <= line["p50"] <= line["p90"] <= 1 for line in told)


def test_refusals_are_told_apart() -> None:
    _, lines = counted(scored(0.5), *[refusal(415, "no")] * ROWS)

    assert lines == [{"event": "refused", "model_version": "0123456789ab", "requests": ROWS}]


def test_nothing_is_said_when_nobody_asked() -> None:
    tally, lines = counted(Reply(200, JSON, b"a description"))
    tally.tell()

    assert lines == []


def test_the_last_rows_are_told_when_time_has_passed() -> None:
    lines: list[Line] = []

    async def run() -> None:
        told = asyncio.Event()

        def write(line: str) -> None:
            lines.append(json.loads(line))
            told.set()

        tally = Tally("v", seconds=0.01, write=write)
        tally.note(scored(0.25))
        telling = asyncio.create_task(tally.keep_telling())
        await asyncio.wait_for(told.wait(), 5)
        telling.cancel()

    asyncio.run(run())

    assert [(line["rows"], line["p90"]) for line in lines] == [(1, 0.25)]


def test_every_way_of_asking_for_scores_counts_and_no_other(
    model_spec: ModelSpec, invocations: Invocations, trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = application(model_spec, invocations)
    line = ",".join(map(str, ROW.values()))
    replay(artifact.read_json(trained / "model" / artifact.GOLDEN), invocations)
    for body, kind in (
        (json.dumps(ROW), JSON),
        (json.dumps({"instances": [ROW] * 20}), JSON),
        (json.dumps({"instances": [ROW] * 20, "explain": True}), JSON),
        ("\n".join([line] * 8), CSV),
        ('{"describe": true}', JSON),
    ):
        assert call(app, "POST", "/invocations", body.encode(), kind).status_code == 200
    assert capfd.readouterr().out == ""
    call(app, "POST", "/invocations", line.encode(), CSV)
    (told,) = map(json.loads, capfd.readouterr().out.splitlines())
    score = call(app, "POST", "/invocations", json.dumps(ROW).encode()).json()["predictions"][0]["score"]

    assert (told["event"], told["model_version"], told["rows"]) == ("scores", invocations.version, 50)
    assert told["p10"] == pytest.approx(score, abs=1e-6)


def test_a_server_tells_its_last_rows_when_time_has_passed(trained: Path) -> None:
    server = Server(trained, TELL_SECONDS="0.05")
    assert server.process.stdout
    httpx.post(f"{server.url}/invocations", json={"instances": [ROW] * 3})
    told = json.loads(server.process.stdout.readline())

    assert server.stop() == 0
    assert (told["event"], told["rows"]) == ("scores", 3)


@pytest.mark.parametrize("pause", ["0", "", "-1", "soon", "nan"])
def test_a_pause_that_is_none_is_refused(pause: str) -> None:
    with pytest.raises(ValueError, match="TELL_SECONDS: expected a number above 0"):
        Job.of({"MODEL": "lead_scoring", "TELL_SECONDS": pause})
