"""A file of rows scored by a batch's three steps, beside pandas and the same graph in one process, in one run.

The container prepares the rows, answers them as it does in a transform job, and collects the results; between the steps this program does
what SageMaker does there: requests of 6 MB, four at a time, each answer joined to its row. Its own CPU time is no part of the container's,
but its seconds are part of the step's. What pandas leaves out, a batch has: every row is checked, and a manifest says what was scored by
which version. Linux only.

    ./road bench batch [--rows 1000000] [--json]
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec  # type: ignore[import-not-found]  # the sample's environment has it

from bench._sample import HERE, SYNTHETIC, VARIABLES
from bench.serving import HOME, answers, cpu, environment, free_ports, run, say
from paved_runtime import artifact
from paved_runtime.batch.lines import Part
from paved_runtime.invocations import sha256
from paved_runtime.media_types import LINES
from paved_runtime.protocol import model_version

RIVAL = ("onnxruntime==1.31.1", "pandas==2.3.3")
ROWS, DRAWN = 1_000_000, 50_000
PAYLOAD_MB, AT_ONCE = 6, 4
FOLDER = HOME / "batch"
DATA, MODEL_ROOT, JOB = FOLDER / "rows.csv", FOLDER / "trained", FOLDER / "job"
PATIENCE = 600  # seconds for an answer; SageMaker's own default in a transform job


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one step took. `peak_mb` is of a server all its processes together, each with what it shares."""

    step: str
    seconds: float
    cpu_seconds: float
    peak_mb: float


def main() -> None:
    """Print both sides, and how far their scores are apart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = prepare(options.rows)
    say("pandas")
    rival = measured("pandas, ONNX Runtime", rival_argv(model))
    ours = list(batch(model))
    report = {
        "rows": options.rows,
        "steps": [asdict(each) for each in ours],
        "total": asdict(whole(ours)),
        "rival": asdict(rival),
        "largest_difference": apart(),
    }
    print(json.dumps(report) if options.json else table(options.rows, [*ours, whole(ours), rival], apart()))


def prepare(rows: int) -> Path:
    """The rows, and a model; its folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    drawn = FOLDER / "drawn.csv"
    if not (MODEL_ROOT / "model/golden.json").is_file():
        say("training a model")
        shutil.rmtree(MODEL_ROOT, ignore_errors=True)
        (MODEL_ROOT / "input/data/data").mkdir(parents=True)
        run(sys.executable, SYNTHETIC, "--rows", str(DRAWN), "--seed", "7", "--out", str(drawn))
        shutil.copy(drawn, MODEL_ROOT / "input/data/data")
        run(sys.executable, "-m", "paved_runtime", "prepare", "train", "evaluate", **VARIABLES, ML_ROOT=str(MODEL_ROOT))
    say(f"writing {rows} rows")
    header, *lines = drawn.read_text(encoding="utf-8").splitlines()
    with DATA.open("w", encoding="utf-8") as stream:
        stream.write(f"id,{header}\n")
        stream.writelines(f"c{number:09},{lines[number % DRAWN]}\n" for number in range(rows))
    return MODEL_ROOT / "model"


def batch(model: Path) -> Iterator[Figures]:
    """The three steps, one after the other."""
    shutil.rmtree(JOB, ignore_errors=True)
    first, last = JOB / "prepare/processing", JOB / "collect/processing"
    for folder in (first, last):
        artifact.pack(model, folder / "input/model/model.tar.gz")
    (first / "input/rows").mkdir()
    os.link(DATA, first / "input/rows/rows.csv")
    command = [sys.executable, "-m", "paved_runtime"]
    say("prepare")
    yield measured("prepare", [*command, "batch-prepare"], **variables(first.parent, model))
    (last / "input/scored").mkdir()
    say("transform")
    with ProcessPoolExecutor(1) as pool:  # a process is said to have held what the one held that started it: this one stays small
        yield pool.submit(transform, first / "parts", last / "input/scored").result()
    for name in ("parts", "prepared"):
        (first / name).rename(last / "input" / name)
    say("collect")
    yield measured("collect", [*command, "batch-collect"], **variables(last.parent, model))


def variables(root: Path, model: Path) -> dict[str, str]:
    """What the batch pipeline gives its steps."""
    digest = sha256(model)
    usual = {
        "INPUT_URI": "s3://bench/in",
        "RESULTS_URI": "s3://bench/out",
        "EXECUTION": "bench",
        "ENDPOINT_NAME": "bench",
        "VARIANT": "bench",
    }
    version = {"MODEL_VERSION": model_version(digest), "MODEL_SHA256": digest}
    return {**VARIABLES, **usual, **version, "ML_ROOT": str(root), "MAXIMUM_FAILED": "0", "PAYLOAD_MB": str(PAYLOAD_MB)}


def measured(step: str, argv: Sequence[str], **environ: str) -> Figures:
    """A step that is a process."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, cwd=HERE, env={**os.environ, **environ}, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench: {step} ended with {process.returncode}: it says why above")
    return Figures(step=step, seconds=time.perf_counter() - began, cpu_seconds=seconds(used), peak_mb=used.ru_maxrss / 2**10)


def seconds(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def transform(parts: Path, scored: Path) -> Figures:
    """The step in which the server is asked, from its start to its last answer."""
    began = time.perf_counter()
    (port,) = free_ports(1)
    told = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(PAYLOAD_MB), "SAGEMAKER_BIND_TO_PORT": str(port)}
    environ = {**os.environ, **VARIABLES, **told, "ML_ROOT": str(MODEL_ROOT)}
    argv = [sys.executable, "-m", "paved_runtime", "serve"]
    process = subprocess.Popen(argv, cwd=HERE, env=environ, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while not answers(port):
            if process.poll() is not None:
                sys.exit("bench: the server did not start: it says why above")
            time.sleep(0.05)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for part in sorted(parts.iterdir()):
                with (scored / f"{part.name}.out").open("wb") as stream:
                    for joined in pool.map(lambda rows: ask(port, rows), payloads(part)):
                        stream.write(joined)
        return Figures(step="transform", seconds=time.perf_counter() - began, cpu_seconds=cpu(process), peak_mb=held(process))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def payloads(part: Path) -> Iterator[list[Part]]:
    """A part's rows, as many at a time as a request may have."""
    some: list[Part] = []
    size = 0
    for row in msgspec.json.Decoder(Part).decode_lines(part.read_bytes()):
        length = len(bytes(row.row)) + 1
        if size + length > PAYLOAD_MB * 1_000_000:
            yield some
            some, size = [], 0
        some.append(row)
        size += length
    yield some


def ask(port: int, rows: Sequence[Part]) -> bytes:
    """One request, and its answer joined to the rows. Raises RuntimeError when the answer is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        body = b"".join(bytes(row.row) + b"\n" for row in rows)
        connection.request("POST", "/invocations", body, {"Content-Type": LINES, "Accept": LINES})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"/invocations answered {answer.status}: {said[:200].decode()}")
    pairs = zip(rows, said.splitlines(), strict=True)
    return b"".join(b'{"number":%d,"SageMakerOutput":%b}\n' % (row.number, line) for row, line in pairs)


def held(process: subprocess.Popen[bytes]) -> float:
    """MB that a server's processes held at the most."""
    peaks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
            lines = (folder / "status").read_text().splitlines()
        except FileNotFoundError:  # ended since it was listed
            continue
        peaks += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) if group == process.pid else 0
    return peaks / 2**10


def rival_argv(model: Path) -> list[str]:
    """The command of what a team would write."""
    python = environment("batch_pandas", *RIVAL)
    return [str(python), "bench/rivals/batch_pandas.py", str(model), str(DATA), str(FOLDER / "rival.csv")]


def whole(steps: Sequence[Figures]) -> Figures:
    """All steps: their sums, and the largest peak."""
    seconds, spent = sum(each.seconds for each in steps), sum(each.cpu_seconds for each in steps)
    return Figures(step="Paved Road", seconds=seconds, cpu_seconds=spent, peak_mb=max(each.peak_mb for each in steps))


def apart() -> float:
    """The largest difference between the scores of a row; the rows are those of both, in the same order."""
    with (JOB / "collect/processing/results/rows.csv").open(newline="") as ours, (FOLDER / "rival.csv").open(newline="") as theirs:
        pairs = zip(csv.DictReader(ours), csv.DictReader(theirs), strict=True)
        return max(abs(float(one["score"]) - float(other["score"])) if one["id"] == other["id"] else float("inf") for one, other in pairs)


def table(rows: int, figures: Sequence[Figures], difference: float) -> str:
    """The result as a person reads it."""
    lines = [f"{rows:,} rows", f"{'':22} {'seconds':>9} {'rows/s':>9} {'CPU s':>9} {'peak MB':>9}"]
    lines += [f"{f.step:22} {f.seconds:9.1f} {rows / f.seconds:9,.0f} {f.cpu_seconds:9.1f} {f.peak_mb:9,.0f}" for f in figures]
    return "\n".join([*lines, f"largest difference between the scores of a row: {difference:.2g}"])


if __name__ == "__main__":
    main()
