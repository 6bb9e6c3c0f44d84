"""Preparation: the data contract is checked, then the rows are parted into what training may see and what it may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paved_runtime import artifact, contract, drift, looked_up_rows, quality, split, tasks, training_rows, validation_rows
from paved_runtime.artifact import ArtifactError
from paved_runtime.contract import Check, ContractError, Reading
from paved_runtime.holdout import CHAMPION
from paved_runtime.job import Job
from paved_runtime.looked_up_rows import Stored
from paved_runtime.split import Parts
from paved_runtime.table import Examples
from paved_runtime.tasks.task import Task

VERSION = 1
VIOLATIONS = "violations.json"
SWAPPED = "the object was changed after it was stored: find out by whom, and store the data set again"
OF_ROWS = ("scores", "trained")  # what a champion says row by row


def prepare(job: Job, stored: Stored = looked_up_rows.of) -> None:
    """Write train.csv, data.json and rows.bin for training, which of its rows a search judges on, and for evaluation holdout.csv and what
    the champion says of its rows. The columns that the model looks up are in all of them, and data.json says where they come from.

    Raises:
        ContractError: the data set is not the one that was stored, or breaks the contract; violations.json in the job's report lists how.
        ArtifactError: the champion's scores are not of this data set.
        FeatureError: columns cannot be looked up.
    """
    try:
        _prepare(job, stored)
    except ContractError as error:
        artifact.write_json(job.report / VIOLATIONS, [check.as_json() for check in error.violations])
        raise


def _prepare(job: Job, stored: Stored) -> None:
    data, champion = job.spec.data, _champion(job)
    with stored(job) as rows:
        reading, features = rows.inspect(), rows.features
    _must_be_stored(reading, job.origin.get("data_sha256", ""))
    if champion and champion.get("data_sha256", reading.sha256) != reading.sha256:  # older champions do not say
        raise ArtifactError(f"{CHAMPION} is of data with sha256 {champion['data_sha256']}, this job read {reading.sha256}: start a new run")
    examples = reading.examples
    order = split.order(examples.digests, seed=data.seed)
    parts = split.divide(examples, data, order)
    change = _change(champion, examples, parts, tasks.of(data))
    whole = [*quality.checks(examples, data, order), *quality.sides(examples, parts, data)]
    checks = [*reading.checks, *whole, *quality.changed(change or {}, data)]
    contract.demand(reading.source, checks)

    contract.write(job.prepared("train") / "train.csv", examples, data, parts.train)
    contract.write(job.prepared("holdout") / "holdout.csv", examples, data, parts.holdout)
    profile = {
        "sha256": reading.sha256,
        "rows": len(parts.train),
        **drift.profile(examples.take(parts.train), tasks.of(data)),
        "duplicates": quality.duplicates(examples),
    }
    profile["split"] = split.summary(examples, parts, data)
    if features is not None:
        profile["features"] = features
    profile["digested"] = sorted(set(map(tuple, reading.digested)))
    artifact.write_json(job.prepared("train") / artifact.DATA, _summary(profile, checks, change))
    training_rows.write(job.prepared("train") / artifact.ROWS, examples.digests[parts.train])
    if data.split != "random" and (search := job.spec.training.search):
        validation_rows.write(job.prepared("train") / validation_rows.NAME, examples, data, parts.train, search.validation)
    if champion:
        aligned = {name: _aligned(champion[name], len(examples), parts.holdout.tolist()) for name in OF_ROWS if name in champion}
        artifact.write_json(job.prepared("holdout") / CHAMPION, {**champion, **aligned})
    print(f"data contract: {len(checks)} checks passed")
    left = f", {len(parts.left_out)} left out" if len(parts.left_out) else ""
    for name, group in (features or {}).items():
        print(f"feature group {name}: {group['rows']['with_record']} rows have a record, {group['rows']['without_record']} have none")
    print(f"prepared {len(parts.train)} rows for training and {len(parts.holdout)} held out{left}", flush=True)


def _must_be_stored(reading: Reading, expected: str) -> None:
    """Raise ContractError where other bytes were read than those that were stored; a run on a laptop may not say what those are."""
    if expected and reading.sha256 != expected:
        check = Check(column="", rule="stored", found=f"sha256 {reading.sha256}", allowed=f"sha256 {expected}", advice=SWAPPED)
        raise ContractError(reading.source, [check])


def _champion(job: Job) -> dict[str, Any] | None:
    """What the version in production says about this data set; None where there is no such version."""
    folder = job.channel("champion")
    content: dict[str, Any] | None = artifact.read_json(folder / CHAMPION) if folder.is_dir() else None
    return content


def _change(champion: Mapping[str, Any] | None, examples: Examples, parts: Parts, task: Task) -> dict[str, float] | None:
    """How far the training rows are from the champion's; None where there is nothing to compare."""
    if champion is None or not champion["profile"] or not len(parts.train):
        return None
    return drift.changes(champion["profile"], examples.take(parts.train), task)


def _summary(profile: Mapping[str, Any], checks: Sequence[Check], change: Mapping[str, float] | None) -> dict[str, Any]:
    """The content of data.json: what the training rows are like, and everything that was asked of the data set."""
    listed = [{name: value for name, value in check.as_json().items() if name != "advice"} for check in checks]
    changed = None if change is None else [{"column": name, "psi": psi} for name, psi in change.items()]
    return {"version": VERSION, **profile, "checks": listed, "change": changed}


def _aligned(values: Sequence[Any], rows: int, holdout: Sequence[int]) -> list[Any]:
    """What the champion said of the held-out rows, out of what it said of all of them. Of files that it cannot read it says nothing."""
    if not values:
        return [None] * len(holdout)
    if len(values) != rows:
        raise ArtifactError(f"{CHAMPION} has {len(values)} scores for {rows} rows: the champion has scored another data set")
    return [values[row] for row in holdout]
