"""Evaluation: what the model is worth on rows it never saw, whether that is enough, and the answers by which every copy of it is known.

A gate that fails does not fail the job: the verdicts go into evaluation.json, whose `gates_failed` decides what is registered. What cannot
be judged at all, because a file is missing or a score is not a number, does fail it, and nothing is registered either.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from paved_runtime import artifact, contract, gates, golden, plugin, report, tasks
from paved_runtime.holdout import CHAMPION, Champion, Holdout
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.monitoring import baseline
from paved_runtime.protocol import PARITY, REPORT
from paved_runtime.reasons import Reasons
from paved_runtime.table import Table, Values
from paved_runtime.tasks.task import Task

ARCHIVE, OUTPUT = "model/model.tar.gz", "model/output.tar.gz"
EXPLAINED = 50  # rows at the least, however few a request may ask about


def evaluate(job: Job) -> None:
    """Add evaluation.json, baseline.json and golden.json to the model, write report.json and parity.json, and print
    `metric name=value` lines.

    A processing job gets the model packed and hands it on packed, with the report beside it; in a training job SageMaker packs both.

    Raises:
        ArtifactError: the model's files are not what training wrote, or the champion's scores are not what `score` wrote.
        ContractError: the held-out rows are not what `model.toml` says.
        ArithmeticError: a score is none that a model of its task may give.
    """
    if not job.processing:
        return _complete(job, job.model)
    processing = job.root / "processing"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(processing / "input" / ARCHIVE, model, job.spec)
        _complete(job, model)
        artifact.write_json(processing / "evaluation" / artifact.EVALUATION, artifact.read_json(model / artifact.EVALUATION))
        artifact.pack(job.report, processing / OUTPUT)
        return artifact.pack(model, processing / ARCHIVE)


def _complete(job: Job, model: Path) -> None:
    features = plugin.features(job.spec.name)
    artifact.check(model, job.spec, features.NAMES, judged=False)
    invocations = Invocations.load(job.spec, model)
    explainer = invocations.explainer
    examples = contract.read(job.channel("holdout"), job.spec.data, digested={job.spec.data.target})  # nobody compares its rows

    def score(table: Table) -> Values:
        return np.concatenate([invocations.scores(part) for part in table.parts()]).astype(np.float64)

    def explain(table: Table) -> Reasons | None:
        if explainer is None:
            return None
        asked = gates.some(table, max(explainer.most, EXPLAINED))
        return explainer.reasons(job.spec.column_names, features.features(asked), score(asked))

    task = tasks.of(job.spec.data)
    champion = _champion(job, len(examples), task)
    holdout = Holdout(task=task, table=examples.table, labels=examples.labels, challenger=score(examples.table), champion=champion)
    findings = gates.examine(job.spec, holdout, artifact.read_json(model / artifact.DATA), score, explain)
    verdicts = list(gates.verdicts(findings))
    metadata = artifact.read_json(model / artifact.METADATA)
    evaluation = report.evaluation(findings, verdicts, metadata)
    artifact.write_json(model / artifact.EVALUATION, evaluation)
    profile = baseline.record(holdout)
    artifact.write_json(model / artifact.BASELINE, profile)
    artifact.write_json(model / artifact.GOLDEN, golden.record(job.spec, invocations))
    artifact.write_metadata(model, metadata)
    artifact.write_json(job.report / REPORT, report.report(findings))
    artifact.write_json(job.report / PARITY, report.parity(holdout, job.spec.data))
    _print(evaluation, [str(verdict) for verdict in verdicts if verdict.passed is False])


def _champion(job: Job, rows: int, task: Task) -> Champion | None:
    """What the champion said about the held-out rows; None without one. Its scores may not get lost between the steps."""
    file = job.channel("holdout") / CHAMPION
    return Champion.load(file, rows, task) if file.is_file() or job.channel("champion").is_dir() else None


def _print(evaluation: dict[str, Any], failed: list[str]) -> None:
    for name, metric in evaluation["metrics"].items():
        print(f"metric {name}={metric['value']:.6f}")
    print(f"metric gates_failed={evaluation['gates_failed']}")
    print("\n".join([f"{len(evaluation['gates'])} verdicts, {len(failed)} failed", *failed]), flush=True)
