"""What a road costs: CPU seconds of each stage, of localcloud itself and of the rest, while `./road demo --yes` takes one from nothing.

Every process that the demo starts is looked at twenty times a second in /proc, so it runs on Linux alone. What a process has used counts
for the build whose descendant it is; a job or an endpoint's instance is nobody's, and has a line of its own. How often programs start
that take long to do so is counted beside it.

    ./road bench road [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
EVERY = 0.05  # seconds between two looks
FIRST = 3  # the number, in proc(5), of what stands behind the name in /proc/PID/stat
PARENT, USED, REAPED, STARTED = 4 - FIRST, slice(14 - FIRST, 16 - FIRST), slice(16 - FIRST, 18 - FIRST), 22 - FIRST
PLACES = {  # what a process's command says of where it belongs
    r"/builds/\S+-(build|update|train|deploy-\w+)/[^/ ]+/build\.sh": "stage {}",
    r"paved_runtime (prepare|serve|monitor)": "containers: {}",
    r"-m localcloud --": "localcloud",
    r"\bcdk (synth|bootstrap|deploy)": "before the push: cdk {}",
    r"-m cli demo": "the demo itself",
}
STARTS = {"CDK CLI": r"^\S*node \S*/cdk ", "jsii": r"node .*/lib/program\.js", "a stage's program": r"python\S* -m pipelines\."}


@dataclass
class Process:
    """A process as it was seen last; `cpu` in seconds, its own and what those had used that it has waited for."""

    parent: tuple[int, int] | None
    command: str
    own: float
    reaped: float


def main() -> None:
    """Print seconds, and how often what was started."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not PROC.is_dir():
        sys.exit("bench road: this machine has no /proc: run it on Linux")
    began = time.monotonic()
    seen = watched([str(ROOT / "road"), "demo", "--yes"])
    report = {"cpu_seconds": seconds(seen), "starts": starts(seen), "wall_seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(report) if options.json else "\n".join(_lines(report)))


def watched(command: Sequence[str]) -> dict[tuple[int, int], Process]:
    """Every process that a command starts, by its number and when it began, once the command has ended. Exits where it fails."""
    seen: dict[tuple[int, int], Process] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as demo:
        while demo.poll() is None:
            _look(demo.pid, seen)
            time.sleep(EVERY)
    if demo.returncode:
        sys.exit("bench road: the demo failed: see what it printed above")
    return seen


def seconds(seen: dict[tuple[int, int], Process]) -> dict[str, float]:
    """CPU seconds by place. A process that was too short to be seen counts for who has waited for it."""
    children: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for key, process in seen.items():
        if process.parent:
            children.setdefault(process.parent, []).append(key)
    spent: defaultdict[str, float] = defaultdict(float)

    def visit(key: tuple[int, int], place: str) -> float:
        process = seen[key]
        place = _place(process.command) if place in ("the rest", "the demo itself", "localcloud") else place
        below = sum(visit(child, place) for child in children.get(key, []))
        unseen = max(0.0, process.reaped - below)
        spent[place] += process.own + unseen
        return process.own + unseen + below

    for key, process in seen.items():
        if process.parent not in seen:
            visit(key, "the rest")
    return {place: round(used, 1) for place, used in sorted(spent.items())} | {"all": round(sum(spent.values()), 1)}


def starts(seen: dict[tuple[int, int], Process]) -> dict[str, int]:
    """How often what takes long to start was started."""
    return {name: sum(1 for process in seen.values() if re.search(pattern, process.command)) for name, pattern in STARTS.items()}


def _place(command: str) -> str:
    for pattern, place in PLACES.items():
        if found := re.search(pattern, command):
            return place.format(*found.groups())
    return "the rest"


def _look(root: int, seen: dict[tuple[int, int], Process]) -> None:
    """Note how far each process is that comes from `root`, or was noted before: localcloud lets go of what it starts."""
    table = dict(_table())
    keys = {pid: (pid, int(fields[STARTED])) for pid, fields in table.items()}
    for pid, fields in sorted(table.items(), key=lambda entry: int(entry[1][STARTED])):
        parent = keys.get(int(fields[PARENT]))
        if pid != root and keys[pid] not in seen and parent not in seen:
            continue
        before = seen.get(keys[pid])
        own, reaped = (sum(map(int, fields[part])) / TICK for part in (USED, REAPED))
        command = _command(pid) or (before.command if before else "")
        seen[keys[pid]] = Process(before.parent if before else parent, command, own, reaped)


def _table() -> Iterator[tuple[int, list[str]]]:
    for folder in PROC.glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue


def _command(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended
        return ""


def _lines(report: dict[str, object]) -> Iterator[str]:
    used, started = report["cpu_seconds"], report["starts"]
    assert isinstance(used, dict)
    assert isinstance(started, dict)
    yield "CPU seconds"
    yield from (f"{value:7.1f}  {place}" for place, value in used.items())
    yield f"{report['wall_seconds']} s on the clock; started: " + ", ".join(f"{name} {count} times" for name, count in started.items())


if __name__ == "__main__":
    main()
