"""What measuring adds to the road: the same work with and without it, one beside the other, again and again.

A data set is digested while it is parsed; a model's files are digested when they are loaded. What S3 takes to hand an object over once
more is not measured here: it depends on the account.

    ./road bench measuring [--data FILE.csv] [--times 9] [--json]
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from bench._sample import MODEL
from paved_runtime import artifact, contract, plugin, spec, testing

ROWS = 40_000


def main() -> None:
    """Print seconds with and without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a CSV file that keeps the sample's contract; a synthetic one without it")
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measured(Path(folder), options.data, options.times)
    print(json.dumps(report) if options.json else "\n".join(_line(name, each) for name, each in report.items()))


def measured(folder: Path, data: Path | None, times: int) -> dict[str, Any]:
    """Medians in seconds, by the work."""
    file = data or testing.synthetic(MODEL, folder / "made.csv", rows=ROWS, seed=1)
    (folder / "data").mkdir()
    (folder / "data/data.csv").write_bytes(file.read_bytes())
    model = testing.train(MODEL, file, folder / "job") / "model"
    known, names = spec.load(MODEL), plugin.features(MODEL).NAMES
    plain = mock.patch.object(contract, "_Measured", lambda path, _digest: io.FileIO(path))
    unchecked = mock.patch.object(artifact, "_unchanged", return_value=None)
    works: dict[str, tuple[Callable[[], object], Any, int]] = {
        "read a data set": (lambda: contract.inspect(folder / "data", known.data), plain, (folder / "data/data.csv").stat().st_size),
        "check a model": (lambda: artifact.check(model, known, names), unchecked, sum(each.stat().st_size for each in model.iterdir())),
    }
    return {name: _beside(work, without, size, times) for name, (work, without, size) in works.items()}


def _beside(work: Callable[[], object], without: Any, size: int, times: int) -> dict[str, float]:
    """The work with measuring and without, in turns."""
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(times):
        seconds["with"].append(_timed(work))
        with without:
            seconds["without"].append(_timed(work))
    return {"bytes": size, **{name: statistics.median(values) for name, values in seconds.items()}}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _line(name: str, seconds: dict[str, float]) -> str:
    added = seconds["with"] - seconds["without"]
    size = f"{seconds['bytes'] / 2**20:6.1f} MiB"
    return f"{name:<16} {size}  {seconds['with']:.3f} s, without measuring {seconds['without']:.3f} s: {added:+.3f} s"


if __name__ == "__main__":
    main()
