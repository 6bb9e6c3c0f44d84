"""Preparation: the data contract is checked, then the rows are parted into what training may see and what it may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_code.runtime import artifact, contract, drift, quality, split
from model_code.runtime.artifact import ArtifactError
from model_code.runtime.contract import Check, ContractError
from model_code.runtime.job import Job
from model_code.runtime.scored import CHAMPION

VERSION = 1
VIOLATIONS = "violations.json"


def prepare(job: Job) -> None:
    """Write train.csv and data.json for training, holdout.csv and the champion's scores of its rows for evaluation.

    Raises:
        ContractError: the data set breaks the contract; violations.json in the job's report lists how.
        ArtifactError: the champion's scores are not of this data set.
    """
    try:
        _prepare(job)
    except ContractError as error:
        artifact.write_json(job.report / VIOLATIONS, [check.as_json() for check in error.violations])
        raise


def _prepare(job: Job) -> None:
    data, champion = job.spec.data, _champion(job)
    reading = contract.inspect(job.data, data)
    examples = reading.examples
    order = split.order(examples, seed=data.seed)
    train, holdout = split.parts(examples.labels, order, share=data.holdout)
    learnt = examples.take(train)
    change = drift.changes(champion["profile"], learnt, data) if champion and champion["profile"] else None
    whole = quality.checks(examples, data, order)
    checks = [*reading.checks, *whole, *quality.changed(change or {}, data)]
    contract.demand(reading.source, checks)

    contract.write(job.prepared("train") / "train.csv", learnt, data)
    contract.write(job.prepared("holdout") / "holdout.csv", examples.take(holdout), data)
    profile = {"rows": len(train), **drift.profile(learnt, data), "duplicates": quality.duplicates(examples, order)}
    artifact.write_json(job.prepared("train") / artifact.DATA, _summary(profile, checks, change))
    if champion:
        aligned = _aligned(champion["scores"], len(examples), holdout.tolist())
        artifact.write_json(job.prepared("holdout") / CHAMPION, {**champion, "scores": aligned})
    print(f"data contract: {len(checks)} checks passed")
    print(f"prepared {len(train)} rows for training and {len(holdout)} held out", flush=True)


def _champion(job: Job) -> dict[str, Any] | None:
    """What the version in production says about this data set; None where there is no such version."""
    folder = job.given("champion")
    content: dict[str, Any] | None = artifact.read_json(folder / CHAMPION) if folder.is_dir() else None
    return content


def _summary(profile: Mapping[str, Any], checks: Sequence[Check], change: Mapping[str, float] | None) -> dict[str, Any]:
    """The content of data.json: what the training rows are like, and everything that was asked of the data set."""
    listed = [{name: value for name, value in check.as_json().items() if name != "advice"} for check in checks]
    changed = None if change is None else [{"column": name, "psi": psi} for name, psi in change.items()]
    return {"version": VERSION, **profile, "checks": listed, "change": changed}


def _aligned(scores: Sequence[float | None], rows: int, holdout: Sequence[int]) -> list[float | None]:
    if len(scores) != rows:
        raise ArtifactError(f"{CHAMPION} has {len(scores)} scores for {rows} rows: the champion has scored another data set")
    return [scores[row] for row in holdout]
