"""What a data set takes of memory: so many bytes a row, whatever its cells look like as text."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from container import MODEL
from frames import DATA

from paved_runtime import testing
from paved_runtime.rules import CategoryRule, NumberRule, rules

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


def peak(root: Path, command: str) -> int:
    """Bytes that a command held at the most."""
    argv = [sys.executable, "-c", PROGRAM, command]
    process = subprocess.run(argv, env=testing.environment(MODEL, root), capture_output=True, text=True, check=False)
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
