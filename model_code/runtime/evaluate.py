"""Evaluation: what the model is worth on rows it never saw, whether that is enough, and the answers by which every copy of it is known.

A gate that fails does not fail the job: the verdicts go into evaluation.json, whose `gates_failed` decides what is registered. What cannot
be judged at all, because a file is missing or a score is not a number, does fail it, and nothing is registered either.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from model_code.runtime import artifact, contract, gates, golden, plugin, report
from model_code.runtime.explain import Explainer
from model_code.runtime.invocations import Invocations
from model_code.runtime.job import Job
from model_code.runtime.monitoring import baseline
from model_code.runtime.reasons import Reasons
from model_code.runtime.scored import CHAMPION, Champion, Scored
from model_code.runtime.table import Table, Values

ARCHIVE, OUTPUT = "model/model.tar.gz", "model/output.tar.gz"
REPORT, PARITY = "report.json", "parity.json"


def evaluate(job: Job) -> None:
    """Add evaluation.json, baseline.json and golden.json to the model, write report.json and parity.json, and print
    `metric name=value` lines.

    A processing job gets the model packed and hands it on packed, with the report beside it; in a training job SageMaker packs both.

    Raises:
        ArtifactError: the model's files are not what training wrote, or the champion's scores are not what `score` wrote.
        ContractError: the held-out rows are not what `model.toml` says.
        ArithmeticError: a score is no probability.
    """
    if not job.processing:
        return _complete(job, job.model)
    processing = job.root / "processing"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(processing / "input" / ARCHIVE, model)
        _complete(job, model)
        artifact.write_json(processing / "evaluation" / artifact.EVALUATION, artifact.read_json(model / artifact.EVALUATION))
        artifact.pack(job.report, processing / OUTPUT)
        return artifact.pack(model, processing / ARCHIVE)


def _complete(job: Job, model: Path) -> None:
    features = plugin.features(job.spec.name)
    artifact.check(model, job.spec, features.NAMES, files=artifact.TRAINED)
    invocations, explainer = Invocations.load(job.spec, model), Explainer.load(model, features, job.spec.features)
    holdout = contract.read(job.given("holdout"), job.spec.data)

    def score(table: Table) -> Values:
        return invocations.scores(table).astype(np.float64)

    def explain(table: Table) -> Reasons:
        base, contributions = explainer.contributions(features.features(table))
        return Reasons(columns=job.spec.features, scores=score(table), base=base, contributions=contributions)

    scored = Scored(table=holdout.table, labels=holdout.labels == 1, challenger=score(holdout.table), champion=_champion(job, len(holdout)))
    found = gates.examine(job.spec, scored, artifact.read_json(model / artifact.DATA), score, explain)
    verdicts = list(gates.verdicts(found))
    evaluation = report.evaluation(found, verdicts, artifact.read_json(model / artifact.METADATA))
    artifact.write_json(model / artifact.EVALUATION, evaluation)
    known = baseline.record(holdout.table, job.spec.data, scored.challenger, float(holdout.labels.mean()))
    artifact.write_json(model / artifact.BASELINE, known)
    artifact.write_json(model / artifact.GOLDEN, golden.record(job.spec, invocations))
    artifact.write_json(job.report / REPORT, report.report(found))
    artifact.write_json(job.report / PARITY, report.parity(scored, job.spec.data))
    _say(evaluation, [str(verdict) for verdict in verdicts if verdict.passed is False])


def _champion(job: Job, rows: int) -> Champion | None:
    """What the champion said about the held-out rows; None without one. Its scores may not get lost between the steps."""
    file = job.given("holdout") / CHAMPION
    return Champion.load(file, rows) if file.is_file() or job.given("champion").is_dir() else None


def _say(evaluation: dict[str, Any], failed: list[str]) -> None:
    for name, metric in evaluation["metrics"].items():
        print(f"metric {name}={metric['value']:.6f}")
    print(f"metric gates_failed={evaluation['gates_failed']}")
    print("\n".join([f"{len(evaluation['gates'])} verdicts, {len(failed)} failed", *failed]), flush=True)
