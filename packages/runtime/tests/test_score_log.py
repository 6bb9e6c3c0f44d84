"""The lines from which CloudWatch Logs makes metrics: what they say, when they come, and that none is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bodies import ROW
from container import MODEL
from hypothesis import given
from hypothesis import strategies as st
from server import PATIENCE, Server, call

from paved_runtime import artifact
from paved_runtime.golden import replay
from paved_runtime.invocations import Invocations, Reply, refusal
from paved_runtime.job import Job
from paved_runtime.media_types import CSV, JSON
from paved_runtime.score_log import ROWS, ScoreLog
from paved_runtime.serving import application
from paved_runtime.spec import ModelSpec

Line = dict[str, Any]
NEVER = 10_000.0  # seconds: no line because of time


def answer(*scores: float) -> Reply:
    return Reply(200, JSON, b"", scores)


def counted(*replies: Reply) -> tuple[ScoreLog, list[Line]]:
    """A log that has counted these replies, and where its lines go."""
    lines: list[Line] = []
    log = ScoreLog("0123456789ab", seconds=NEVER, write=lambda line: lines.append(json.loads(line)))
    for reply in replies:
        log.count(reply)
    return log, lines


def test_a_line_comes_after_so_many_rows_and_says_how_they_are_spread() -> None:
    scores = [number / 100 for number in range(ROWS)]
    _, early = counted(*map(answer, scores[:-1]))
    _, lines = counted(*map(answer, scores[::-1]))

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
def test_every_row_and_every_refusal_is_logged_once(answers: list[list[float] | None]) -> None:
    log, lines = counted(*(refusal(422, "no") if scores is None else answer(*scores) for scores in answers))
    log.flush()
    log.flush()

    rows = [score for scores in answers for score in scores or []]
    logged = [line for line in lines if line["event"] == "scores"]
    assert sum(line["rows"] for line in logged) == len(rows)
    assert sum(line["requests"] for line in lines if line["event"] == "refused") == answers.count(None)
    assert sum(line["rows"] * line["mean"] for line in logged) == pytest.approx(sum(rows), abs=1e-5 * (1 + len(rows)))
    assert all(0 <= line["p10"] <= line["p50"] <= line["p90"] <= 1 for line in logged)


def test_refusals_have_lines_of_their_own() -> None:
    _, lines = counted(answer(0.5), *[refusal(415, "no")] * ROWS)

    assert lines == [{"event": "refused", "model_version": "0123456789ab", "requests": ROWS}]


def test_nothing_is_said_when_nobody_asked() -> None:
    log, lines = counted(Reply(200, JSON, b"a description"))
    log.flush()

    assert lines == []


def test_the_last_rows_are_logged_when_time_has_passed() -> None:
    lines: list[Line] = []

    async def run() -> None:
        written = asyncio.Event()

        def write(line: str) -> None:
            lines.append(json.loads(line))
            written.set()

        log = ScoreLog("v", seconds=0.01, write=write)
        log.count(answer(0.25))
        flushing = asyncio.create_task(log.flush_regularly())
        await asyncio.wait_for(written.wait(), PATIENCE)
        flushing.cancel()

    asyncio.run(run())

    assert [(line["rows"], line["p90"]) for line in lines] == [(1, 0.25)]


def test_every_way_of_asking_for_scores_counts_and_no_other(
    model_spec: ModelSpec, invocations: Invocations, trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = application(model_spec, invocations, ScoreLog(invocations.version, seconds=NEVER))
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
    (logged,) = map(json.loads, capfd.readouterr().out.splitlines())
    score = call(app, "POST", "/invocations", json.dumps(ROW).encode()).json()["predictions"][0]["score"]

    assert (logged["event"], logged["model_version"], logged["rows"]) == ("scores", invocations.version, 50)
    assert logged["p10"] == pytest.approx(score, abs=1e-6)


def test_a_server_logs_its_last_rows_when_time_has_passed(trained: Path) -> None:
    with Server(trained, SCORE_LOG_SECONDS="0.05") as server:
        server.client.post("/invocations", json={"instances": [ROW] * 3})
        logged = json.loads(server.line())

        assert server.stop() == 0
    assert (logged["event"], logged["rows"]) == ("scores", 3)


@pytest.mark.parametrize("pause", ["0", "", "-1", "soon", "nan"])
def test_a_pause_that_is_none_is_refused(pause: str) -> None:
    with pytest.raises(ValueError, match="SCORE_LOG_SECONDS: expected a number above 0"):
        Job.of({"MODEL": MODEL, "SCORE_LOG_SECONDS": pause})
