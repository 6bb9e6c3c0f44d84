"""Training: the model's own code learns; its framework writes the result as data, and what will answer is held against what was trained."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paved_runtime import __version__, artifact, contract, frameworks, plugin, scoring
from paved_runtime.job import Job
from paved_runtime.plugin import Features, TrainingRun
from paved_runtime.scoring import PROBABILITIES, VALUES, Graph, Score
from paved_runtime.spec import Behaviour, ModelSpec
from paved_runtime.table import PART, Examples, Matrix

TOLERANCE = 1e-5
DIRECTIONS = {"increasing": 1, "decreasing": -1}


def train(job: Job) -> None:
    """Write the framework's files, schema.json and metadata.json beside data.json and rows.bin, which preparation wrote.

    Raises:
        ValueError: there is no such framework, `model.toml` wants reasons of it that it cannot give, or what was trained has another task.
        ContractError: the training rows are not what `model.toml` says.
        ArithmeticError: what was written scores a training row otherwise than the model that was trained.
    """
    framework = frameworks.of(job.spec)
    frameworks.method(job.spec, framework)  # or the training would be in vain
    features = plugin.features(job.spec.name)
    run = replace(_run(job, features), hosts=job.hosts, checkpoints=job.checkpoints)
    model = plugin.training(job.spec.name).train(run)
    job.model.mkdir(parents=True, exist_ok=True)
    framework.save(model, job.model)
    artifact.write_json(job.model / artifact.SCHEMA, artifact.schema(job.spec, features.NAMES))
    for name in (artifact.DATA, artifact.ROWS):
        shutil.copyfile(job.channel("train") / name, job.model / name)
    measured = {"data_sha256": artifact.read_json(job.model / artifact.DATA)["sha256"]}
    origin = {"model": job.spec.name, "runtime": __version__, "framework": frameworks.manifest(framework), **job.origin, **measured}
    used = {"hyperparameters": job.hyperparameters, "rows": {"train": len(run.labels)}}
    artifact.write_metadata(job.model, {**origin, **used})
    served, accepted = scoring.load(framework, job.model), TOLERANCE * job.spec.data.span
    differences = []
    for part in np.array_split(run.matrix, 1 + len(run.matrix) // PART):
        scores = served(part)
        _refuse_other_task(served, scores, job.spec)
        differences.append(np.abs(scores - framework.predict(model, part)).max())
    difference = float(np.max(differences))
    if not difference <= accepted:
        raise ArithmeticError(f"what would answer differs from what was trained by {difference:.2g}; accepted is {accepted:.0e}")
    print(f"trained with {framework.NAME} on {len(run.labels)} rows; what will answer differs by {difference:.1e}", flush=True)


def _run(job: Job, features: Features) -> TrainingRun:
    """The run of all training rows; these themselves are forgotten once it is made."""
    examples = contract.read(job.channel("train"), job.spec.data, digested={job.spec.data.target})  # nobody compares its rows
    return training_run(job, features, examples)


def _refuse_other_task(served: Score, scores: Matrix, model: ModelSpec) -> None:
    """Raise ValueError where what would answer does so as another task's models do."""
    classes, output = model.data.classes, VALUES if model.task == "regression" else PROBABILITIES
    expected = (len(scores), len(classes)) if classes else (len(scores),)
    if scores.shape != expected:
        raise ValueError(f"task is {model.task!r}: expected scores {list(expected)}, what would answer gives {list(scores.shape)}")
    if isinstance(served, Graph) and served.output != output:
        raise ValueError(f"task is {model.task!r}: expected the output {output!r}, {artifact.ONNX} has {served.output!r}")


def training_run(job: Job, features: Features, examples: Examples) -> TrainingRun:
    """What the model's own code learns from these rows with."""
    return TrainingRun(
        matrix=features.features(examples.table),
        labels=examples.labels.astype(np.float32),
        task=job.spec.task,
        classes=len(job.spec.data.classes),
        hyperparameters=job.hyperparameters,
        monotone=constraints(features.NAMES, job.spec.gates.behaviour),
    )


def constraints(features: Sequence[str], behaviour: Behaviour) -> dict[str, int]:
    """What training is told of the declared directions: each feature's that has the name of its column; nothing of derived ones."""
    return {name: DIRECTIONS[behaviour.monotone[name]] if name in behaviour.monotone else 0 for name in features}
