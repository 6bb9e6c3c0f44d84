"""What a road costs, by task and framework: one row for each, of the model that `./road new-model` writes, over measured data of
scikit-learn's.

Every step is a process of its own in the framework's environment, as its job is, so its imports count. Then the model's real server gets
one row a request, of one client, on a core of its own. Gates are no measurement and so are lenient here. Linux only.

    ./road bench roads [--task binary] [--framework xgboost] [--requests 4000] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

from sklearn import datasets  # type: ignore[import-untyped]

from bench.serving import HOME, LOAD_CORE, Candidate, cpu, free_ports, running, say
from cli import profiles, proposals, scaffold
from cli.local_training import COMMANDS, Container
from cli.model_toml import Words
from cli.profiles import Profile
from config import CONFIG
from paved_runtime import artifact, frameworks
from paved_runtime.media_types import JSON
from paved_runtime.spec import FRAMEWORKS, TaskName

FOLDER = HOME / "roads"
TARGET = "target"
DATA: Mapping[TaskName, Callable[[], Any]] = {
    "binary": datasets.load_breast_cancer,
    "multiclass": datasets.load_digits,
    "regression": partial(datasets.load_diabetes, scaled=False),
}
DIFFERS = re.compile(r"what will answer differs by (\S+)")
SHARE = 10  # of the requests, one in so many goes before them, unmeasured
HEAD = (
    "task",
    "framework",
    *(f"{step}, s (of a core)" for step in COMMANDS),
    "artifact, KiB",
    "served against trained, at most",
    "CPU of a row, µs",
    "server, MB",
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: seconds, and seconds of a core, its children's included."""

    seconds: float
    cpu: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One model: its steps by name, bytes of its packed artifact, how far what answers is from what was trained, in the unit of its scores,
    microseconds of a core for each request of one row, and the memory that its server says it has.
    """

    task: str
    framework: str
    steps: Mapping[str, Step]
    artifact_bytes: int
    differs: float
    request_cpu: float
    memory_mb: float


def main() -> None:
    """Print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", choices=get_args(TaskName), action="append", help="may be repeated; all without it")
    parser.add_argument("--framework", choices=FRAMEWORKS, action="append", help="likewise")
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cores = os.sched_getaffinity(0)
    figures = []
    for task, framework in chosen(arguments.task or get_args(TaskName), arguments.framework or FRAMEWORKS):
        os.sched_setaffinity(0, cores)
        figures.append(measured(task, framework, arguments.requests))
    print(json.dumps([asdict(each) for each in figures]) if arguments.json else table(figures, machine(cores)))


def chosen(tasks: Sequence[TaskName], names: Sequence[str]) -> Iterator[tuple[TaskName, str]]:
    """Each task with each framework that learns it."""
    return ((task, name) for task in tasks for name in names if task in frameworks.named(name).TASKS)


def measured(task: TaskName, framework: str, requests: int) -> Figures:
    """One model, from its data set to its server."""
    say(f"{task}: {framework}")
    home = FOLDER / f"{task}_{framework}"
    shutil.rmtree(home, ignore_errors=True)
    data = write(DATA[task](), home / "data.csv")
    container = Container.of(model(task, framework, data, home), data, home / "ml")
    steps, differs = {}, 0.0
    for name in COMMANDS:
        steps[name], printed = step(container, name)
        if said := DIFFERS.search(printed):
            differs = float(said[1])
    artifact.pack(container.home / "model", home / "model.tar.gz")
    row = artifact.read_json(container.home / "model" / artifact.GOLDEN)["requests"][0]["body"]
    request_cpu, memory_mb = served(container, row, requests)
    return Figures(
        task=task,
        framework=framework,
        steps=steps,
        artifact_bytes=(home / "model.tar.gz").stat().st_size,
        differs=differs,
        request_cpu=request_cpu,
        memory_mb=memory_mb,
    )


def write(known: Any, file: Path) -> Path:
    """A data set of scikit-learn's as CSV; classes by their names."""
    file.parent.mkdir(parents=True)
    labels = [known.target_names[label] for label in known.target] if "target_names" in known else known.target.tolist()
    header = [*(str(name).replace("/", "_") for name in known.feature_names), TARGET]
    lines = [",".join([*(f"{value:g}" for value in row), str(label)]) for row, label in zip(known.data.tolist(), labels, strict=True)]
    file.write_text("\n".join([",".join(header), *lines]) + "\n", encoding="utf-8")
    return file


def model(task: TaskName, framework: str, data: Path, home: Path) -> Path:
    """The folder of a new model; no gate is proposed for it, and no column is taken for a leak."""
    profile: Profile = profiles.read(data, target=TARGET, task=task)
    gates = replace(proposals.draft(profile.outcomes), maximum_column_auc=1, maximum_pair_auc=1)
    words = Words(purpose="Is measured.", owner=CONFIG.owners[0], framework=framework)
    folder = home / "model_code" / f"{task}_{framework}"
    scaffold.write(folder, scaffold.files(folder.name, profile, gates, words, config=CONFIG))
    return folder


def step(container: Container, name: str) -> tuple[Step, str]:
    """One command of a container, and what it prints."""
    log, began = container.home.with_suffix(".log"), time.perf_counter()
    with log.open("w") as output:
        argv = [str(container.python), "-m", "paved_runtime", name]
        process = subprocess.Popen(argv, env=dict(container.environment), stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench: {name} of {container.model} failed: {log.read_text().strip().splitlines()[-1]}")
    spent = Step(seconds=round(time.perf_counter() - began, 2), cpu=round(used.ru_utime + used.ru_stime, 2))
    return spent, log.read_text()


def served(container: Container, row: Mapping[str, Any], requests: int) -> tuple[float, float]:
    """Microseconds of a core for each request of one row, and the server's memory afterwards, in MB as it says itself."""
    (port,) = free_ports(1)
    environment = {**container.environment, "SAGEMAKER_BIND_TO_PORT": str(port)}
    os.sched_setaffinity(0, {LOAD_CORE})
    with running(Candidate(container.model, [str(container.python), "-m", "paved_runtime", "serve"], environment, port)) as process:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"instances": [row]}).encode()
        for _ in range(requests // SHARE):
            ask(connection, body)
        before = cpu(process)
        for _ in range(requests):
            ask(connection, body)
        spent = (cpu(process) - before) * 1e6 / requests
        described = json.loads(ask(connection, json.dumps({"describe": True}).encode()))
        connection.close()
    return round(spent, 1), round(described["memory_mb"], 1)


def ask(connection: http.client.HTTPConnection, body: bytes) -> bytes:
    """The answer to one request. Exits where it is none."""
    connection.request("POST", "/invocations", body, {"content-type": JSON})
    with connection.getresponse() as response:
        answer = response.read()
    if response.status != http.client.OK:
        sys.exit(f"bench: the server answered {response.status}: {answer.decode()}")
    return answer


def machine(cores: set[int]) -> str:
    """On what was measured, and when."""
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{datetime.now(UTC):%-d %B %Y}, {len(cores)} cores of {names[0] if names else platform.machine()}"


def table(figures: Sequence[Figures], where: str) -> str:
    """The result as Markdown."""
    rows = [HEAD, ("---",) * 2 + ("---:",) * (len(HEAD) - 2), *map(cells, figures)]
    return "\n".join([f"{where}:", "", *("| " + " | ".join(row) + " |" for row in rows)])


def cells(each: Figures) -> tuple[str, ...]:
    """One row of it."""
    steps = [f"{each.steps[name].seconds:.1f} ({each.steps[name].cpu:.1f})" for name in COMMANDS]
    kib = f"{each.artifact_bytes / 1024:,.0f}"
    return (each.task, each.framework, *steps, kib, f"{each.differs:.0e}", f"{each.request_cpu:.0f}", f"{each.memory_mb:.0f}")


if __name__ == "__main__":
    main()
