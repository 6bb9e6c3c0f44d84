"""Several workers behave as one server: the same answers, one score log, an end that loses nothing; and one that dies is replaced."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from bodies import ROW
from container import MODEL
from server import ONE, PATIENCE, Server

from paved_runtime import artifact
from paved_runtime.job import Job
from paved_runtime.workers import LIVES, cores

CHILDREN = Path("/proc/self/task")
pytestmark = pytest.mark.skipif(not CHILDREN.is_dir(), reason="asks /proc for processes")


def workers(server: Server) -> list[int]:
    """The processes of a server's workers."""
    process = server.process.pid
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        return []


@pytest.fixture
def server(trained: Path) -> Iterator[Server]:
    with Server(trained, **{ONE: "2"}, SCORE_LOG_SECONDS="1000") as started:
        yield started


def ask(server: Server, rows: int) -> int:
    """A request on a connection of its own; its status."""
    return httpx.post(f"{server.client.base_url}/invocations", json={"instances": [ROW] * rows}, timeout=PATIENCE).status_code


def test_they_answer_as_one_server_and_lose_nothing_at_the_end(server: Server, trained: Path) -> None:
    golden = artifact.read_json(trained / "model" / artifact.GOLDEN)
    assert server.client.get("/ping").status_code == 200
    assert len(workers(server)) == 2
    with ThreadPoolExecutor(8) as clients:
        assert set(clients.map(lambda _: ask(server, 1), range(60))) == {200}
    server.client.post("/invocations", json={})
    for request in golden["requests"]:
        answer = server.client.post("/invocations", json=request["body"])
        assert [p["score"] for p in answer.json()["predictions"]] == pytest.approx(request["scores"], abs=golden["tolerance"])

    assert server.stop() == 0
    lines = [json.loads(line) for line in server.output.splitlines()]
    scored = sum(len(request["scores"]) for request in golden["requests"])
    assert sum(line["rows"] for line in lines if line["event"] == "scores") == 60 + scored
    assert [line["requests"] for line in lines if line["event"] == "refused"] == [1]
    assert "Traceback" not in server.errors


def test_one_that_dies_is_replaced(server: Server) -> None:
    assert server.client.get("/ping").status_code == 200
    before = workers(server)
    os.kill(before[0], signal.SIGKILL)
    while len(now := workers(server)) < 2 or before[0] in now:
        assert server.process.poll() is None

    assert before[1] in now
    assert {ask(server, 1) for _ in range(8)} == {200}
    assert server.stop() == 0
    assert "worker 0 ended with -9; another takes its place" in server.errors


def test_who_cannot_keep_them_alive_ends_loudly(server: Server) -> None:
    killed: set[int] = set()
    while server.process.poll() is None:
        for worker in set(workers(server)) - killed if server.process.poll() is None else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            killed.add(worker)
    _, errors = server.process.communicate(timeout=PATIENCE)

    assert server.process.returncode == 1
    assert 1 <= len(killed) <= 2 * LIVES + 2
    assert errors.splitlines()[-1].startswith("serve: worker ")


def test_they_end_with_the_process_that_started_them(server: Server) -> None:
    assert server.client.get("/ping").status_code == 200
    left = workers(server)
    server.process.kill()
    server.process.wait(PATIENCE)
    server.process.stdout.read()  # type: ignore[union-attr]  # ends when the last worker, which has the pipe too, has ended

    assert not [worker for worker in left if Path(f"/proc/{worker}/cmdline").is_file() and Path(f"/proc/{worker}/cmdline").read_bytes()]


@pytest.mark.parametrize("count", ["-1", "two", "", "1.5"])
def test_a_number_that_is_none_is_refused(count: str) -> None:
    with pytest.raises(ValueError, match="SAGEMAKER_MODEL_SERVER_WORKERS: expected a number of processes"):
        Job.of({"MODEL": MODEL, ONE: count})


def test_there_are_as_many_as_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= cores() <= len(allowed)
