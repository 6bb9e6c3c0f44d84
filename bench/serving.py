"""What a scored request costs: our server beside the one that a team would write without us, in one run on one machine.

Each server gets one core, the load another; rounds alternate, so that a busy moment of the machine hits both. Linux only. Ours is also
asked what its largest request costs, and how long `/ping` waits beside it: the other reads no CSV.

    ./road bench serving [--rounds 3] [--seconds 3] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import _large
from bench._sample import FOLDER, HERE, MODEL, SYNTHETIC, VARIABLES

HOME = HERE / ".road" / "bench"
RIVAL = ("flask==3.1.2", "gunicorn==23.0.0", "pandas==2.3.3", "scikit-learn==1.7.2", "xgboost-cpu==3.2.0")
THREADED = ("--workers=1", "--worker-class=gthread", "--threads=8", "--keep-alive=60", "--log-level=warning")
SERVER_CORE, LOAD_CORE = sorted(os.sched_getaffinity(0))[:2]
LOADS = {"1 row, 1 client": (1, 1), "1 row, 8 clients": (1, 8), "100 rows, 1 client": (100, 1)}  # rows a request, clients


@dataclass
class Candidate:
    """A server to be measured, and what was measured of it: load → one Figures a round, and those of the largest requests."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    port: int
    reads_csv: bool = False
    rounds: dict[str, list[Figures]] = field(default_factory=lambda: {load: [] for load in LOADS})
    large: dict[str, list[_large.Figures]] = field(default_factory=lambda: {load: [] for load in _large.AT_ONCE})


@dataclass(frozen=True)
class Figures:
    """One load in one round: CPU time and latencies in microseconds."""

    cpu: float
    p50: float
    p99: float
    rows_a_second: float


class Client(asyncio.Protocol):
    """One keep-alive connection that sends the same request again as soon as it is answered."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request, self._until = request, until
        self._buffer = b""
        self.latencies: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._buffer.decode()))
            return
        now = time.perf_counter()
        self.latencies.append((now - self._sent) * 1e6)
        self._buffer = b""
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    candidates = prepare()
    os.sched_setaffinity(0, {LOAD_CORE})
    for number in range(arguments.rounds):
        for candidate in candidates:
            say(f"round {number + 1} of {arguments.rounds}: {candidate.name}")
            measure(candidate, arguments.seconds)
    results = {c.name: {load: median(c.rounds[load]) for load in LOADS} for c in candidates}
    large = {c.name: {load: _large.summary(rounds) for load, rounds in c.large.items()} for c in candidates if c.reads_csv}
    if arguments.json:
        print(json.dumps({name: {**loads, **large.get(name, {})} for name, loads in results.items()}))
        return
    print(table(results))
    for name, loads in large.items():
        print("", name, *_large.table(loads), sep="\n")


def prepare() -> list[Candidate]:
    """Both environments, one data set, a model of each: made once, kept under .road/bench."""
    data, ours, rival = HOME / "data.csv", HOME / "ml", HOME / "rival.joblib"
    HOME.mkdir(parents=True, exist_ok=True)
    theirs = environment("rival", *RIVAL)
    our = environment("ours", "--require-hashes", "-r", str(FOLDER / MODEL / "requirements.lock"))
    run(str(our), SYNTHETIC, "--rows", "20000", "--seed", "7", "--out", str(data))
    say("training both models")
    (ours / "input/data/data").mkdir(parents=True, exist_ok=True)
    shutil.copy(data, ours / "input/data/data")
    variables = {**VARIABLES, "ML_ROOT": str(ours)}
    run(str(our), "-m", "paved_runtime", "prepare", "train", "evaluate", **variables)
    trees = json.loads((ours / "model/model.json").read_text())["learner"]["gradient_booster"]["model"]["gbtree_model_param"]["num_trees"]
    run(str(theirs), "bench/rivals/flask_pandas.py", str(data), str(rival), trees)
    ports = free_ports(2)
    return [
        Candidate(
            "Paved Road",
            [str(our), "-m", "paved_runtime", "serve"],
            {**variables, "SAGEMAKER_BIND_TO_PORT": str(ports[0])},
            ports[0],
            reads_csv=True,
        ),
        Candidate(
            "gunicorn, Flask, pandas, scikit-learn",
            [str(theirs), "-m", "gunicorn", *THREADED, f"--bind=127.0.0.1:{ports[1]}", "bench.rivals.flask_pandas:app"],
            {"RIVAL": str(rival)},
            ports[1],
        ),
    ]


def environment(name: str, *packages: str) -> Path:
    """The Python of a virtual environment with exactly these packages."""
    folder = HOME / name
    stamp = folder / "packages"
    wanted = "\n".join(packages) + ((HERE / packages[-1]).read_text() if packages[-1].endswith(".lock") else "")
    if not stamp.is_file() or stamp.read_text() != wanted:
        say(f"making the environment {folder.relative_to(HERE)}")
        run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        run("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder / "bin/python"), *packages)
        stamp.write_text(wanted)
    return folder / "bin/python"


def run(*argv: str, **variables: str) -> None:
    finished = subprocess.run(argv, cwd=HERE, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"bench: {' '.join(argv[:4])} failed: {finished.stderr.strip().splitlines()[-1]}")


def measure(candidate: Candidate, seconds: float) -> None:
    """Start the server, put each load on it, stop it."""
    with running(candidate) as process:
        for load, (rows, clients) in LOADS.items():
            drive(candidate, rows, clients, seconds / 5)  # warm
            before = cpu(process)
            latencies, elapsed = drive(candidate, rows, clients, seconds)
            spent = (cpu(process) - before) * 1e6 / len(latencies)
            cuts = statistics.quantiles(latencies, n=100)
            candidate.rounds[load].append(Figures(spent, cuts[49], cuts[98], rows * len(latencies) / elapsed))
        if candidate.reads_csv:
            for load, figures in _large.measure(candidate.port, HOME / "data.csv", lambda: cpu(process)).items():
                candidate.large[load].append(figures)


@contextmanager
def running(candidate: Candidate) -> Iterator[subprocess.Popen[bytes]]:
    """The server, pinned to its core, from its first yes to /ping until it is stopped."""
    process = subprocess.Popen(
        candidate.argv,
        cwd=HERE,
        env={**os.environ, **candidate.environment},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )
    try:
        while not answers(candidate.port):
            if process.poll() is not None:
                sys.exit(f"bench: {candidate.name} did not start")
            time.sleep(0.05)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:  # of which a refused connection, a reset one and a late answer are kinds
        return False


def drive(candidate: Candidate, rows: int, clients: int, seconds: float) -> tuple[list[float], float]:
    """Latencies in microseconds, and the seconds it took."""
    row = json.loads((HOME / "ml/model/golden.json").read_text())["requests"][0]["body"]
    body = json.dumps({"instances": [row] * rows}).encode()
    head = f"POST /invocations HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"

    async def load() -> list[float]:
        loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
        pairs = [
            await loop.create_connection(lambda: Client(head.encode() + body, until), "127.0.0.1", candidate.port) for _ in range(clients)
        ]
        await asyncio.gather(*(client.done for _, client in pairs))
        return [latency for _, client in pairs for latency in client.latencies]

    begun = time.perf_counter()
    return asyncio.run(load()), time.perf_counter() - begun


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU time that the server's whole process group has used."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except FileNotFoundError:  # ended since it was listed
            continue
        if int(fields[2]) == process.pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def median(rounds: list[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: round(statistics.median(getattr(f, name) for f in rounds), 1) for name in Figures.__dataclass_fields__}


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [f"{'load':20} {'server':38} {'CPU µs/request':>14} {'p50 µs':>9} {'p99 µs':>9} {'rows/s':>9}"]
    for load in LOADS:
        for name, loads in results.items():
            f = loads[load]
            lines.append(f"{load:20} {name:38} {f['cpu']:14.0f} {f['p50']:9.0f} {f['p99']:9.0f} {f['rows_a_second']:9.0f}")
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
