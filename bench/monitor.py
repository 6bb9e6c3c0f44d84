"""What a look at the traffic costs: our monitor beside pandas and beside evidently, over the same captured lines, in one run.

Lines as SageMaker writes them are made once, from held-out rows and a real model's scores, and lie on disk in objects of 100,000; more rows
are more objects with the same content. Each candidate is a process of its own: its seconds begin after its imports, its memory is the most
that the process ever held. The rivals read every line into memory, and are stopped at a limit. Where all have finished, their figures are
held against each other, too. Linux only.

    ./road bench monitor [--rows 100000 1000000] [--full] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO, FileIO
from typing import Any

import numpy as np

from bench._sample import HERE, MODEL, SYNTHETIC, VARIABLES
from bench.serving import HOME, environment, run, say
from paved_runtime import artifact, contract, spec
from paved_runtime.invocations import Invocations, sha256
from paved_runtime.job import Job
from paved_runtime.monitor import monitor
from paved_runtime.monitoring.services import Services
from paved_runtime.protocol import model_version
from paved_runtime.rules import rules

RIVALS = {
    "pandas, scipy": ("monitor_pandas.py", ("pandas==2.3.3", "scipy==1.17.1")),
    "evidently": ("monitor_evidently.py", ("evidently==0.7.23", "pandas==2.3.3", "scipy==1.17.1")),
}
OURS = "Paved Road"
ROWS, FULL = (100_000, 1_000_000), 10_000_000
OBJECT, OBJECTS = 100_000, 10  # rows an object; objects that differ
LIMIT = 10 * 2**30  # bytes of memory that a candidate may have
END = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOLDER, ROOT = HOME / "captured", HOME / "monitored"


class Disk:
    """S3 as far as the monitor reads it, with objects that are files."""

    def __init__(self, count: int) -> None:
        self._files = {f"{number:06}": FOLDER / f"{number % OBJECTS}.jsonl" for number in range(count)}

    def get_paginator(self, _: str) -> Disk:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: ARG002, N803 - S3's names
        if Prefix.endswith(f"{END.replace(hour=11):%Y/%m/%d/%H}/"):
            yield {"Contents": [{"Key": key, "LastModified": END, "Size": file.stat().st_size} for key, file in self._files.items()]}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, FileIO]:  # noqa: ARG002, N803
        return {"Body": self._files[Key].open("rb", buffering=0)}


class Nobody:
    """An endpoint that nobody asks, and nobody who is told."""

    def describe_endpoint(self, **_: object) -> dict[str, Any]:
        capture = {"CaptureStatus": "Started", "CurrentSamplingPercentage": 100}
        return {"EndpointStatus": "InService", "EndpointConfigName": "bench", "DataCaptureConfig": capture}

    def get_metric_data(self, **_: object) -> dict[str, Any]:
        return {"MetricDataResults": []}

    def put_metric_data(self, **_: object) -> None: ...

    def publish(self, **_: object) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One candidate over so many rows; without seconds where it needed more than the limit. CPU time includes its start."""

    candidate: str
    rows: int
    seconds: float | None
    cpu_seconds: float
    rows_a_second: float | None
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help=f"in steps of {OBJECT}")
    parser.add_argument("--full", action="store_true", help=f"{FULL} rows, too: some minutes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ours", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(ours(arguments.ours)))
        return
    prepare()
    figures, agreement = [], {}
    for rows in [*arguments.rows, *([FULL] if arguments.full else [])]:
        found = {}
        for name, argv in candidates(rows).items():
            say(f"{rows} rows: {name}")
            measured, found[name] = measure(name, rows, argv)
            say(f"{measured}")
            figures.append(measured)
        if all(found.values()):
            agreement = {name: differences(found[OURS], found[name]) for name in RIVALS}
    result = {"figures": [asdict(one) for one in figures], "largest_differences": agreement}
    print(json.dumps(result) if arguments.json else table(figures, agreement))


def prepare() -> None:
    """A model, captured lines and a reference for the rivals: made once."""
    if (FOLDER / "reference.csv").is_file():
        return
    say("training a model and writing lines as they are captured")
    shutil.rmtree(ROOT, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    data = ROOT / "input/data/data"
    data.mkdir(parents=True)
    run(sys.executable, SYNTHETIC, "--rows", "45000", "--seed", "7", "--out", str(data / "data.csv"))
    run(sys.executable, "-m", "paved_runtime", "prepare", "train", "evaluate", **VARIABLES, ML_ROOT=str(ROOT))
    known = spec.load(MODEL)
    holdout, written = contract.read(ROOT / "work/holdout", known.data), rules(known.data)
    scores = Invocations.load(known, ROOT / "model").scores(holdout.table).tolist()
    values = holdout.table.values.tolist()
    rows = [{name: rule.write(cell) for cell, (name, rule) in zip(row, written.items(), strict=True)} for row in values]
    for number in range(OBJECTS):
        chosen = np.random.default_rng(number).integers(0, len(rows), OBJECT).tolist()
        with (FOLDER / f"{number}.jsonl").open("w", encoding="utf-8") as stream:
            stream.writelines(line(rows[row], scores[row], f"{number}-{n}") for n, row in enumerate(chosen))
    with (FOLDER / "reference.csv").open("w", encoding="utf-8") as stream:
        stream.write(",".join([*rows[0], "score"]) + "\n")
        stream.writelines(",".join(map(str, [*row.values(), score])) + "\n" for row, score in zip(rows, scores, strict=True))


def line(row: dict[str, Any], score: float, name: str) -> str:
    """One captured request."""
    answer = {"predictions": [{"score": score}], "model_version": "0123456789ab"}
    sides = {"endpointInput": ("INPUT", row), "endpointOutput": ("OUTPUT", answer)}
    data = {
        side: {"observedContentType": "application/json", "mode": mode, "data": json.dumps(content), "encoding": "JSON"}
        for side, (mode, content) in sides.items()
    }
    event = {"eventId": f"e-{name}", "inferenceId": f"i-{name}", "inferenceTime": "2026-11-21T11:30:00Z"}
    return json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"}) + "\n"


def candidates(rows: int) -> dict[str, list[str]]:
    """The command of each candidate."""
    files = [str(FOLDER / f"{number % OBJECTS}.jsonl") for number in range(rows // OBJECT)]
    rivals = {
        name: [str(environment(program.partition(".")[0], *packages)), f"bench/rivals/{program}", str(FOLDER / "reference.csv"), *files]
        for name, (program, packages) in RIVALS.items()
    }
    return {OURS: [sys.executable, __file__, "--ours", str(rows)], **rivals}


def ours(rows: int) -> dict[str, Any]:
    """Our monitor in this process."""
    job_root = HOME / "monitoring"
    shutil.rmtree(job_root, ignore_errors=True)
    artifact.pack(ROOT / "model", job_root / "processing/input/model/model.tar.gz")
    given = {
        **VARIABLES,
        "ML_ROOT": str(job_root),
        "MODEL_VERSION": model_version(sha256(ROOT / "model")),
        "WINDOW_END": END.isoformat(),
        **dict.fromkeys(("ENDPOINT_NAME", "VARIANT", "METRICS_NAMESPACE"), "bench"),
        **dict.fromkeys(("CAPTURE_URI", "LABELS_URI", "REPORT_URI"), "s3://bench/bench"),
    }
    services = Services(s3=Disk(rows // OBJECT), cloudwatch=Nobody(), sagemaker=Nobody(), sns=Nobody())
    began, said = time.perf_counter(), sys.stdout
    sys.stdout = sys.stderr
    monitor(Job.of(given), services)
    sys.stdout = said
    found = artifact.read_json(job_root / "processing/report/monitor.json")
    return {"seconds": time.perf_counter() - began, "rows": found["rows"], "columns": {**found["columns"], "score": found["scores"]}}


def measure(name: str, rows: int, argv: list[str]) -> tuple[Figures, dict[str, Any]]:
    """One candidate in a process of its own, and what it found; nothing where it needed more memory than the limit."""
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (LIMIT, LIMIT))
    environ = {**os.environ, "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(argv, cwd=HERE, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit)
    assert process.stdout
    assert process.stderr
    written, complaints = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and b"MemoryError" not in complaints:
        why = (complaints.decode().strip().splitlines() or ["nothing said"])[-1]
        sys.exit(f"bench: {name} over {rows} rows ended with {process.returncode}: {why}")
    found = json.load(BytesIO(written)) if not process.returncode else {}
    if found and found["rows"] != rows:
        sys.exit(f"bench: {name} read {found['rows']} of {rows} rows")
    seconds = found.get("seconds")
    rate = round(rows / seconds) if seconds else None
    figures = Figures(
        candidate=name,
        rows=rows,
        seconds=seconds,
        cpu_seconds=round(used.ru_utime + used.ru_stime, 2),
        rows_a_second=rate,
        peak_mb=round(used.ru_maxrss / 2**10, 1),
    )
    return figures, found


def differences(mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """The largest difference in each figure over all columns. Bins of numbers are each one's own, so their index is not compared."""
    shared: dict[str, list[float]] = {}
    for name, column in theirs["columns"].items():
        found = mine["columns"][name]
        figures = [figure for figure in column if figure != "psi" or found["test"] == "chi2"]
        for figure in figures:
            shared.setdefault(figure, []).append(abs(found[figure] - column[figure]))
    return {figure: max(values) for figure, values in shared.items()}


def table(figures: list[Figures], agreement: dict[str, dict[str, float]]) -> str:
    """The result as a person reads it."""
    lines = [f"{'rows':>10}  {'candidate':16} {'seconds':>9} {'rows/s':>9} {'CPU s':>9} {'peak MB':>9}"]
    for one in figures:
        seconds = f"{one.seconds:9.1f} {one.rows_a_second:9,.0f}" if one.seconds else f"{'more than':>9} {LIMIT >> 30:6} GB"
        lines.append(f"{one.rows:10,}  {one.candidate:16} {seconds} {one.cpu_seconds:9.1f} {one.peak_mb:9,.0f}")
    for name, found in agreement.items():
        lines.append(f"largest difference to {name}: " + ", ".join(f"{figure} {value:.2g}" for figure, value in found.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
