"""What the champion says about a newer data set: its scores, by its own code, in its own image, for the challenger to be measured against,
and which of the rows it was trained on.

The data may have changed since its time: it reads tolerantly, and says which rows it cannot score instead of failing.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from paved_runtime import artifact, contract, golden, looked_up_rows, parquet, plugin
from paved_runtime.as_of import FeatureError
from paved_runtime.contract import Check, ContractError
from paved_runtime.holdout import CHAMPION
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.looked_up_rows import Stored
from paved_runtime.parquet import ParquetError
from paved_runtime.spec import Data
from paved_runtime.table import Table
from paved_runtime.training_rows import TrainingRows

ARCHIVE = "model/model.tar.gz"
Scores = list[Any]  # each row's, as its task has them; None without


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Row by row: a score, null where a cell is refused, all null where a column is missing, and none at all where rows cannot be counted;
    and whether the champion was trained on it,
    None where it does not know. `data_sha256` is of the bytes that were read.

    `reason`, why some rows have no score, travels further than the data may: it has columns, rules and counts, and no cell.
    """

    scores: Scores
    trained: list[bool] | None
    reason: str
    data_sha256: str


def score(job: Job, stored: Stored = looked_up_rows.of) -> None:
    """Write champion.json: a score, or null, for every row of the data set, in the order in which the contract reads them.

    `trained`, in the same order, is left out where the champion does not know which rows it was trained on.

    Raises:
        ValueError: MODEL_PACKAGE_ARN is not set.
        ArtifactError: the model is not complete, or answers its golden requests differently than in evaluation.
        FileNotFoundError: the data set has no file.
    """
    if not job.model_package_arn:
        raise ValueError("the environment variable MODEL_PACKAGE_ARN is not set: it names the version whose scores these are")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(job.root / "processing/input" / ARCHIVE, model, job.spec)
        artifact.check(model, job.spec, plugin.features(job.spec.name).NAMES)
        invocations = Invocations.load(job.spec, model)
        golden.replay(artifact.read_json(model / artifact.GOLDEN), invocations)
        metadata, data = artifact.read_json(model / artifact.METADATA), artifact.read_json(model / artifact.DATA)
        known = TrainingRows.load(model)
    said = _said(job, stored, invocations, known)
    refused = said.scores.count(None)
    content: dict[str, Any] = {
        "version": 1,
        "model_package_arn": job.model_package_arn,
        "commit": metadata["commit"],
        "data_sha256": said.data_sha256,
        "scores": said.scores,
        "refused": refused,
        "reason": said.reason,
        "task": job.spec.task,
        "classes": list(job.spec.data.classes),
        "profile": {name: data[name] for name in ("columns", "positive_share", "class_shares", "target") if name in data},
    }
    if said.trained is not None:
        content["trained"] = said.trained
    artifact.write_json(job.prepared("champion") / CHAMPION, content)
    trained = "an unknown number" if said.trained is None else said.trained.count(True)
    scored = f"scored {len(said.scores) - refused} of {len(said.scores)} rows"
    print(f"{scored}, {trained} of them seen in training{f': {said.reason}' if said.reason else ''}", flush=True)


def _said(job: Job, stored: Stored, invocations: Invocations, known: TrainingRows | None) -> Answers:
    """What the champion says of the job's data set, with what it looks up itself. Where it cannot, it has no score of any row."""
    try:
        with stored(job) as rows:
            said = answers(invocations, rows.folder, rows.data, known)
            return replace(said, data_sha256=rows.sha256 or said.data_sha256)
    except (FeatureError, ContractError):
        reason = f"the data set is none in which the champion can look up features of {', '.join(job.spec.features)}"
        return Answers(scores=[None] * _rows(job.data), trained=None, reason=reason, data_sha256=contract.sha256(job.data))


def answers(invocations: Invocations, folder: Path, data: Data, known: TrainingRows | None) -> Answers:
    """What the champion says of the files of a folder; `known` are the rows that it was trained on."""
    try:
        reading = contract.inspect(folder, data, known.columns if known else None)
    except ContractError as error:
        reason = f"the data set is none that the champion reads: {_reason(error.violations)}"
        return Answers(scores=[None] * _rows(folder), trained=None, reason=reason, data_sha256=contract.sha256(folder))
    table, trained = reading.examples.table, known.among(reading) if known else None
    if absent := [name for name in data.columns if name not in table.positions]:
        reason = f"the data set lacks column {absent[0]!r} as the champion knows it"
        return Answers(scores=[None] * len(table), trained=trained, reason=reason, data_sha256=reading.sha256)
    broken = [check for check in reading.checks if check.column in table.positions and not check.passed]  # an unknown column is none
    return Answers(scores=_scores(invocations, table), trained=trained, reason=_reason(broken), data_sha256=reading.sha256)


def _scores(invocations: Invocations, table: Table) -> Scores:
    scores: Scores = []
    for part in table.parts():
        accepted = np.flatnonzero(~np.isinf(part.values).any(axis=1))
        answered = dict(zip(accepted.tolist(), invocations.scores(part.take(accepted)).tolist() if len(accepted) else [], strict=True))
        scores += [answered.get(row) for row in range(len(part))]
    return scores


def _reason(broken: Sequence[Check]) -> str:
    return "; ".join(_words(check) for check in broken)


def _words(check: Check) -> str:
    where = f"column {check.column!r}" if check.column else "file"
    return f"{where}: {check.rule}" + (f" ({check.count} row{'s' * (check.count > 1)})" if check.count else "")


def _rows(folder: Path) -> int:
    """Rows of files that cannot be read as the champion's table; 0 where it cannot even count them, for lack of pyarrow."""
    try:
        return sum(map(_counted, contract.data_files(folder)))
    except ParquetError:
        return 0


def _counted(file: Path) -> int:
    if file.suffix == parquet.SUFFIX:
        return parquet.count(file)
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        return max(0, sum(1 for _ in csv.reader(stream)) - 1)
