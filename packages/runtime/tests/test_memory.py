"""What a data set takes of memory: so many bytes a row, whatever its cells look like as text."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from container import MODEL
from frames import DATA

from paved_runtime import artifact, testing
from paved_runtime.invocations import sha256
from paved_runtime.protocol import model_version
from paved_runtime.rules import CategoryRule, NumberRule, rules

BATCHES = 20_000, 80_000  # rows
SLACK = 4 * 2**20  # bytes that the larger one holds more: seen are 1.6; as text its rows have 6 more, and what is made of them 18
FEW, MANY = 80_000, 200_000  # rows
NUMBERS = 8 * (len(DATA.columns) + 1)  # bytes of a row's numbers and its outcome
LIMIT = 3 * NUMBERS  # bytes a row: seen are 2 times as many; kept as Python has them, its cells alone were 8 times as many
PROGRAM = """import os, sys
from paved_runtime.__main__ import main
assert main([sys.argv[1]], os.environ) == 0
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def put(file: Path, rows: int) -> None:
    """Rows that keep the contract, no two of them equal."""
    draw = np.random.default_rng(0)
    columns = {name: drawn(draw, rule, rows) for name, rule in rules(DATA).items()}
    columns["balance"] = list(map(str, range(rows)))
    file.parent.mkdir(parents=True)
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*columns, DATA.target])
        writer.writerows(zip(*columns.values(), draw.choice(["yes", "no"], rows, p=[0.12, 0.88]).tolist(), strict=True))


def drawn(draw: np.random.Generator, rule: object, rows: int) -> list[str]:
    if isinstance(rule, CategoryRule):
        return list(draw.choice(list(rule.codes), rows))
    assert isinstance(rule, NumberRule)
    return list(map(str, draw.integers(int(rule.minimum), int(rule.maximum), rows, endpoint=True).tolist()))


def peak(root: Path, command: str, **variables: str) -> int:
    """Bytes that a command held at the most."""
    argv = [sys.executable, "-c", PROGRAM, command]
    process = subprocess.run(argv, env=testing.environment(MODEL, root, **variables), capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return int(process.stdout.split()[-1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process held")
def test_preparation_holds_little_more_of_a_row_than_its_numbers(tmp_path: Path) -> None:
    """Beyond what is remembered of a column's cells, which is bounded: no two rows have the same balance."""
    peaks = []
    for rows in (FEW, MANY):
        put(tmp_path / f"{rows}/input/data/data/data.csv", rows)
        peaks.append(peak(tmp_path / str(rows), "prepare"))

    assert (peaks[1] - peaks[0]) / (MANY - FEW) < LIMIT


def repeat(file: Path, times: int) -> None:
    """Let a file have its rows so often: what is remembered of cells is bounded, and not looked at here."""
    header, *rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join([header, *rows * times]))


def answer(parts: Path, scored: Path) -> None:
    """What a transform job leaves, of a server that knows one score."""
    scored.mkdir()
    for part in parts.iterdir():
        numbers = (json.loads(line)["number"] for line in part.open())
        lines = (f'{{"number": {number}, "keep": {{}}, "SageMakerOutput": {{"score": 0.5}}}}\n' for number in numbers)
        (scored / f"{part.name}.out").write_text("".join(lines))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process held")
def test_a_batch_holds_no_more_of_many_rows_than_of_few(trained: Path, tmp_path: Path) -> None:
    """Neither the job that makes rows of files, nor the one that makes files of answers."""
    version = model_version(sha256(trained / "model"))
    collected = {"MODEL_VERSION": version, "EXECUTION": "e", "INPUT_URI": "s3://a", "RESULTS_URI": "s3://b", "MAXIMUM_FAILED": "0"}
    peaks: dict[str, list[int]] = {"batch-prepare": [], "batch-collect": []}
    for rows in BATCHES:
        first, last = (tmp_path / f"{rows}/{name}/processing/input" for name in ("first", "last"))
        for folder in (first, last):
            artifact.pack(trained / "model", folder / "model/model.tar.gz")
        put(first / "rows/drawn.csv", 1000)
        repeat(first / "rows/drawn.csv", rows // 1000)
        peaks["batch-prepare"].append(peak(first.parents[1], "batch-prepare", PAYLOAD_MB="1"))
        for name in ("parts", "prepared"):
            (first.parent / name).rename(last / name)
        answer(last / "parts", last / "scored")
        peaks["batch-collect"].append(peak(last.parents[1], "batch-collect", **collected))

    assert {command: most - least < SLACK for command, (least, most) in peaks.items()} == dict.fromkeys(peaks, True), peaks
