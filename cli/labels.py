"""What became of scored rows, often long after the score: a file of labels, looked at and stored for the monitor."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import naming
from cli import capture, csv_files
from cli.problem import Problem
from cli.target import Target
from config import Environment
from paved_runtime import csv_text
from paved_runtime.rules import target
from paved_runtime.spec import ModelSpec

HEADER = ("inference_id", "label")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A file of labels that may be uploaded. `outcomes` counts the rows of each outcome; of numbers there is a `mean` instead."""

    path: str
    rows: int
    outcomes: dict[str, int] | None
    mean: float | None
    sha256: str

    @property
    def summary(self) -> str:
        """What is in it, in a few words."""
        if self.outcomes is None:
            return f"{self.rows} labels, {self.mean:.6g} on average"
        return f"{self.rows} labels, {', '.join(f'{count} of them {outcome!r}' for outcome, count in self.outcomes.items())}"


def check(path: Path, model: ModelSpec) -> Labels:
    """Read the whole file. Raises Problem: it is missing or empty, or names the first line that is wrong."""
    with csv_files.rows(path, "label file") as (header, lines):
        if tuple(header) != HEADER:
            raise _wrong(path, f"expected the header {','.join(HEADER)}, found {csv_text.shortened(','.join(header))}")
        labels = dict(_labels(lines, path, model))
    if not labels:
        raise _wrong(path, "there are no labels in it")
    rule, sha256 = target(model.data), hashlib.sha256(path.read_bytes()).hexdigest()
    if not rule.everywhere:
        mean = fmean(map(rule.label, labels.values()))
        return Labels(path=str(path), rows=len(labels), outcomes=None, mean=mean, sha256=sha256)
    counts = Counter(labels.values())
    outcomes = {outcome: counts[outcome] for outcome in rule.everywhere}
    return Labels(path=str(path), rows=len(labels), outcomes=outcomes, mean=None, sha256=sha256)


def store(aws: Target, model: ModelSpec, place: Environment, labels: Labels) -> str:
    """Upload a file of labels under its digest: the same file twice is stored once. Returns its URI."""
    bucket, key = capture.bucket(aws, model.name, place), f"{naming.LABELS}/{labels.sha256}.csv"
    aws.session(place.account).client("s3").upload_file(labels.path, bucket, key)
    return f"s3://{bucket}/{key}"


def _labels(lines: Iterator[list[str]], path: Path, model: ModelSpec) -> Iterator[tuple[str, str]]:
    outcomes = target(model.data)
    seen: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines, start=1):
        if len(line) != 2 or not line[0]:
            raise _wrong(path, f"row {number}: expected an inference id and a label of {model.name}, found {','.join(line)[:40]!r}")
        if not outcomes.accepts(line[1]):
            why = f"row {number}, column 'label': expected {outcomes.expected}, found {line[1][:40]!r}"
            raise Problem(f"label file {path}", why, outcomes.advice(line[1]))
        before, label = seen.setdefault(line[0], (number, line[1]))
        if label != line[1]:
            raise _wrong(path, f"row {number}: inference id {line[0]!r} has another label in row {before}")
        yield line[0], line[1]


def _wrong(path: Path, why: str) -> Problem:
    return Problem(f"label file {path}", why, "correct the file")
