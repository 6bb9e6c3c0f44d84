"""Whether a batch gives rows the scores that evaluation gave them: the held-out rows, scored as a batch in the first environment."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paved_runtime.protocol import Score, apart
from pipelines.deployment.acceptance import Answers
from pipelines.deployment.batches import SUCCEEDED, Batches, Run
from pipelines.deployment.endpoint import Unanswered, largest
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live_gates import at_most
from pipelines.deployment.pace import Pace
from pipelines.evidence import pack
from pipelines.waiting import BATCH_MINUTES

BATCH_PARITY = "batch parity"
ROWS = "parity.jsonl"
OTHERWISE = "batches do not compute what evaluation measured: see the manifest's folder, and compare the image's packages with training's"
Json = dict[str, Any]
log = logging.getLogger(__name__)


def scored(batches: Batches, held_out: Json, *, model_sha256: str, classes: Sequence[str], tolerance: float, pace: Pace) -> Answers:
    """Have the held-out rows scored as a batch, and hold each score against evaluation's. `classes` are those of a multi-class model.

    Raises:
        DeploymentError: the batch failed; says which step, and why.
    """
    run = _run(batches, held_out["instances"], pace)
    folder = batches.results(run.id)
    manifest, rows = batches.manifest(run.id), _rows(pack.read(batches.s3, folder + ROWS))
    difference = _difference(manifest or {}, rows, held_out["scores"], model_sha256, classes)
    subject = f"largest difference of scores, {len(held_out['scores'])} rows of a batch"
    verdict = at_most(BATCH_PARITY, subject, difference, tolerance, OTHERWISE)
    log.info("a batch of %d held-out rows: largest difference of scores %s", len(rows), verdict.found)
    return Answers({"batch": {"execution": run.arn, "rows": len(rows), "largest_difference": verdict.found}}, [verdict])


def _run(batches: Batches, instances: Sequence[Json], pace: Pace) -> Run:
    with TemporaryDirectory() as folder:
        file = Path(folder, ROWS)
        file.write_text("".join(f"{json.dumps(row)}\n" for row in instances), encoding="utf-8")
        arn = batches.start(batches.put([file]), output="")
    log.info("batch %s scores %d held-out rows", arn, len(instances))
    for _ in pace.polls(minutes=BATCH_MINUTES, waiting_for=arn):
        run = batches.look(arn)
        if run.ended:
            break
    if run.status != SUCCEEDED:
        raise DeploymentError(f"batch {run.id} is {run.status}: {run.why or 'somebody ended it'}: correct that and retry the stage")
    return run


def _rows(content: bytes | None) -> list[Json]:
    return [json.loads(line) for line in (content or b"").decode("utf-8").splitlines()]


def _difference(manifest: Json, rows: Sequence[Json], scores: Sequence[Score], model_sha256: str, classes: Sequence[str]) -> float | str:
    """The largest difference; in a few words why there is none where rows are missing, or have no score, or one of another model."""
    if manifest.get("model_sha256") != model_sha256:
        return f"scored by model {manifest.get('model_sha256')}, not {model_sha256}"
    if len(rows) != len(scores):
        return f"{len(rows)} rows, not {len(scores)}"
    if errors := [row["error"] for row in rows if row.get("error")]:
        return f"{len(errors)} rows without a score: {errors[0]}"
    try:
        return largest(apart([_score(row, classes) for row in rows], scores))
    except (KeyError, ValueError, Unanswered) as error:
        return f"a row without a score: {error}"


def _score(row: Json, classes: Sequence[str]) -> Score:
    return [float(row[name]) for name in classes] if classes else float(row["score"])
