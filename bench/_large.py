"""What the largest request costs a server, and how long it makes SageMaker's health check wait: CSV, and `/ping` beside it."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

SIZE = 6 * 2**20  # bytes; what SageMaker passes on (SageMaker API Reference, InvokeEndpoint)
AT_ONCE = {"6 MiB of CSV": 1, "3 x 6 MiB of CSV": 3}  # requests at a time
BETWEEN = 0.01  # seconds from an answer of /ping to the next question
PATIENCE = 120  # seconds for an answer; SageMaker's own is 60


@dataclass(frozen=True, kw_only=True)
class Figures:
    """CPU seconds a request, seconds until the last was answered, and the longest that `/ping` took beside them, in milliseconds."""

    cpu_seconds: float
    wall_seconds: float
    longest_ping_ms: float


def measure(port: int, data: Path, cpu: Callable[[], float]) -> dict[str, Figures]:
    """Each load once, after a request that warms the server. `cpu` says how many seconds of CPU time the server has used."""
    body = largest(data)
    _ask(port, "POST", "/invocations", body)
    return {load: _beside_pings(port, body, count, cpu) for load, count in AT_ONCE.items()}


def largest(data: Path) -> bytes:
    """A CSV file's header, and its rows again and again, as many as fit."""
    header, *rows = data.read_bytes().splitlines(keepends=True)
    made, size = [header], len(header)
    while size + len(row := rows[len(made) % len(rows)]) <= SIZE:
        made.append(row)
        size += len(row)
    return b"".join(made)


def summary(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds; of what is the longest, the longest."""
    figures = {name: [asdict(each)[name] for each in rounds] for name in Figures.__dataclass_fields__}
    medians = {name: round(statistics.median(values), 3) for name, values in figures.items()}
    return {**medians, "longest_ping_ms": round(max(figures["longest_ping_ms"]), 1)}


def table(loads: dict[str, dict[str, float]]) -> Iterator[str]:
    """The lines of a person's table."""
    yield f"{'load':20} {'CPU s/request':>14} {'last answer s':>14} {'longest /ping ms':>17}"
    for load, figures in loads.items():
        yield f"{load:20} {figures['cpu_seconds']:14.2f} {figures['wall_seconds']:14.2f} {figures['longest_ping_ms']:17.0f}"


def _beside_pings(port: int, body: bytes, count: int, cpu: Callable[[], float]) -> Figures:
    ended, pings = threading.Event(), list[float]()

    def ping() -> None:
        while not ended.wait(BETWEEN):
            began = time.perf_counter()
            _ask(port, "GET", "/ping")
            pings.append(time.perf_counter() - began)

    with ThreadPoolExecutor(count + 1) as threads:
        pinging = threads.submit(ping)
        before, began = cpu(), time.perf_counter()
        try:
            for answered in [threads.submit(_ask, port, "POST", "/invocations", body) for _ in range(count)]:
                answered.result()
            wall, spent = time.perf_counter() - began, cpu() - before
        finally:
            ended.set()
        pinging.result()
    return Figures(cpu_seconds=spent / count, wall_seconds=wall, longest_ping_ms=1000 * max(pings))


def _ask(port: int, method: str, path: str, body: bytes = b"") -> None:
    """One request on a connection of its own. Raises RuntimeError when the answer is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "text/csv"} if body else {})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path} answered {answer.status}: {said[:200].decode()}")
    finally:
        connection.close()
