"""What the champion says about a newer data set: its scores, by its own code, in its own image, for the challenger to be measured against.

The data may have changed since its time: it reads tolerantly, and says which rows it cannot score instead of failing.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_code.runtime import artifact, contract, golden, plugin
from model_code.runtime.contract import Check, ContractError
from model_code.runtime.invocations import Invocations
from model_code.runtime.job import Job
from model_code.runtime.scored import CHAMPION
from model_code.runtime.table import Table
from model_code.spec import Data

ARCHIVE = "model/model.tar.gz"
Scores = list[float | None]


def score(job: Job) -> None:
    """Write champion.json: a score, or null, for every row of the data set, in the order in which the contract reads them.

    Raises:
        ValueError: MODEL_PACKAGE_ARN is not set.
        ArtifactError: the model is not complete, or answers its golden requests differently than in evaluation.
        FileNotFoundError: the data set has no CSV file.
    """
    if not job.model_package_arn:
        raise ValueError("the environment variable MODEL_PACKAGE_ARN is not set: it names the version whose scores these are")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(job.root / "processing/input" / ARCHIVE, model)
        artifact.check(model, job.spec, plugin.features(job.spec.name).NAMES)
        invocations = Invocations.load(job.spec, model)
        golden.replay(artifact.read_json(model / artifact.GOLDEN), invocations)
        metadata, data = artifact.read_json(model / artifact.METADATA), artifact.read_json(model / artifact.DATA)
    scores, reason = answers(invocations, job.data, job.spec.data)
    refused = scores.count(None)
    content: dict[str, Any] = {
        "version": 1,
        "model_package_arn": job.model_package_arn,
        "commit": metadata["commit"],
        "scores": scores,
        "refused": refused,
        "reason": reason,
        "profile": {"columns": data["columns"], "positive_share": data["positive_share"]},
    }
    artifact.write_json(job.prepared("champion") / CHAMPION, content)
    print(f"scored {len(scores) - refused} of {len(scores)} rows{f': {reason}' if reason else ''}", flush=True)


def answers(invocations: Invocations, folder: Path, data: Data) -> tuple[Scores, str]:
    """A score for each row, null where a cell is refused, and why some rows have none; all null where a column is missing.

    The reason travels further than the data may: it has columns, rules and counts, and no cell.
    """
    try:
        reading = contract.inspect(folder, data)
    except ContractError as error:
        return [None] * _rows(folder), f"the data set is none that the champion reads: {_reason(error.violations)}"
    table = reading.examples.table
    if absent := [name for name in data.columns if name not in table.positions]:
        return [None] * len(table), f"the data set lacks column {absent[0]!r} as the champion knows it"
    broken = [check for check in reading.checks if check.column in table.positions and not check.passed]  # an unknown column is none
    accepted = ~np.isinf(table.values).any(axis=1)
    scores: Scores = [None] * len(table)
    if accepted.any():
        known = invocations.scores(Table(table.positions, table.values[accepted])).tolist()
        for row, value in zip(np.flatnonzero(accepted).tolist(), known, strict=True):
            scores[row] = value
    return scores, _reason(broken)


def _reason(broken: Sequence[Check]) -> str:
    return "; ".join(_words(check) for check in broken)


def _words(check: Check) -> str:
    where = f"column {check.column!r}" if check.column else "file"
    return f"{where}: {check.rule}" + (f" ({check.count} row{'s' * (check.count > 1)})" if check.count else "")


def _rows(folder: Path) -> int:
    """Rows of files that cannot be read as the champion's table."""
    count = 0
    for file in sorted(folder.glob("*.csv")):
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
            count += max(0, sum(1 for _ in csv.reader(stream)) - 1)
    return count
