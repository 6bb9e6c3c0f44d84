"""How large a data set may be: seconds and memory of preparation, training and evaluation, beside pandas reading the same file.

Rows are made up: those of the sample's own program, again and again, some of their columns drawn anew each time, so that few are equal.
Every step is a process of its own, as its job is, and may not allocate more than the limit (RLIMIT_DATA). Its memory is the most that was
resident (VmHWM). Training grows a few trees only: how long a model learns is its own affair. Linux only.

    ./road bench data_sets [--rows 45000 1000000] [--full] [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench._sample import HERE, SYNTHETIC, VARIABLES
from bench.serving import HOME, environment, run, say

ROWS, FULL = (45_000, 1_000_000), 10_000_000
BLOCK = 200_000  # rows that the sample's own program makes
DRAWN = ("age", "balance", "day", "campaign")  # columns whose cells change places in each further block
TREES = 20
LIMIT = 4 * 2**30  # bytes that a process may allocate
FOLDER = HOME / "data_sets"
STEPS = ("prepare", "train", "evaluate")
OURS = "from paved_runtime.__main__ import main; assert main([sys.argv[1]], os.environ) == 0"
PANDAS = "import pandas; pandas.read_csv(sys.argv[1])"
PROGRAM = """import os, sys
{work}
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One step over so many rows; without seconds and memory where it needed more than the limit."""

    step: str
    rows: int
    seconds: float | None = None
    peak_mb: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--full", action="store_true", help=f"{FULL} rows, too: many minutes and 2 GB of disk")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    pandas = str(environment("data_sets_pandas", "pandas==2.3.3"))
    figures = [figure for rows in [*arguments.rows, *([FULL] if arguments.full else [])] for figure in steps(rows, pandas)]
    print(json.dumps([asdict(figure) for figure in figures]) if arguments.json else table(figures))


def steps(rows: int, pandas: str) -> list[Figures]:
    """Every step over so many rows, and pandas."""
    root = FOLDER / str(rows)
    shutil.rmtree(root, ignore_errors=True)
    file = root / "input/data/data/data.csv"
    say(f"{rows} rows: making them up")
    make_up(file, rows)
    settings = root / "input/config/hyperparameters.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"rounds": str(TREES)}))
    commands = {step: [sys.executable, "-c", PROGRAM.format(work=OURS), step] for step in STEPS}
    commands["pandas.read_csv"] = [pandas, "-c", PROGRAM.format(work=PANDAS), str(file)]
    figures = [measure(step, rows, argv, root) for step, argv in commands.items()]
    shutil.rmtree(root)
    return figures


def make_up(file: Path, rows: int) -> None:
    """Write so many rows."""
    first = FOLDER / "block.csv"
    if not first.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        run(sys.executable, SYNTHETIC, "--rows", str(BLOCK), "--seed", "7", "--out", str(first))
    with first.open(newline="", encoding="utf-8") as stream:
        header, *block = csv.reader(stream)
    columns = [np.array(cells, dtype=np.object_) for cells in zip(*block, strict=True)]
    file.parent.mkdir(parents=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for number in range(-(-rows // BLOCK)):
            draw = np.random.default_rng(number)
            drawn = [draw.permutation(cells) if number and name in DRAWN else cells for name, cells in zip(header, columns, strict=True)]
            writer.writerows(zip(*(cells[: rows - number * BLOCK].tolist() for cells in drawn), strict=True))


def measure(step: str, rows: int, argv: Sequence[str], root: Path) -> Figures:
    """One step in a process of its own."""
    say(f"{rows} rows: {step}")
    limit = partial(resource.setrlimit, resource.RLIMIT_DATA, (LIMIT, LIMIT))
    environ = {**os.environ, **VARIABLES, "ML_ROOT": str(root), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    began = time.perf_counter()
    process = subprocess.run(argv, cwd=HERE, env=environ, capture_output=True, text=True, preexec_fn=limit, check=False)
    seconds = time.perf_counter() - began
    if process.returncode and not any(sign in process.stderr for sign in ("MemoryError", "bad_alloc", "Unable to allocate")):
        sys.exit(f"bench: {step} over {rows} rows failed: {process.stderr}")
    figures = Figures(step=step, rows=rows)
    if not process.returncode:
        peak = int(process.stdout.split()[-1]) * 1024
        figures = Figures(step=step, rows=rows, seconds=round(seconds, 1), peak_mb=round(peak / 1e6))
    say(f"{figures}")
    return figures


def table(figures: Sequence[Figures]) -> str:
    """The result as a person reads it."""
    lines = [f"{'step':16} {'rows':>12} {'seconds':>10} {'peak MB':>9} {'bytes a row':>12}"]
    for each in figures:
        measured = "over the limit"
        if each.seconds is not None and each.peak_mb is not None:
            measured = f"{each.seconds:10.1f} {each.peak_mb:9,.0f} {each.peak_mb * 1e6 / each.rows:12,.0f}"
        lines.append(f"{each.step:16} {each.rows:12,} {measured}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
