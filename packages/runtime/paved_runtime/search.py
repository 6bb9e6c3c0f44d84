"""A trial of a hyperparameter search: the model's own code learns from a part of the training rows, and is judged on the rest of them.

Which rows those are is a property of what they say, as with the held-out ones, so every trial is judged on the same: whole groups, or the
newest, where the held-out ones are. No trial sees a held-out row, and none leaves a model: what won is trained again, on all training rows,
by `train`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paved_runtime import contract, frameworks, plugin, split, tasks, validation_rows
from paved_runtime.job import Job
from paved_runtime.spec import VALIDATION
from paved_runtime.table import Examples, Table, Values
from paved_runtime.tasks.task import Task
from paved_runtime.train import training_run


def search(job: Job) -> None:
    """Print `metric validation_NAME=value` for each metric of the validation rows, which training has not seen.

    Raises:
        ContractError: the training rows are not what `model.toml` says.
        ValueError: `model.toml` has no [training.search], or the validation rows have one outcome alone.
    """
    settings = job.spec.training.search
    if settings is None:
        raise ValueError("model.toml has no [training.search]: write one, or train")
    examples = contract.read(job.channel("train"), job.spec.data)
    task = tasks.of(job.spec.data)
    learnt, validation = _parts(job, examples, task, settings.validation)
    if not task.fewest(validation.labels):
        raise ValueError(f"the {len(validation)} validation rows have one outcome: change training.search.validation in model.toml")
    score = _learn(job, learnt)
    scores = score(validation.table)
    if wrong := int(task.refused(scores).sum()):
        raise ArithmeticError(f"{wrong} of {len(validation)} validation rows get a score that is no {task.answer}: see the features")
    for name, value in task.metrics(validation.labels, scores).items():
        print(f"metric {VALIDATION}{name}={value:.6f}", flush=True)
    print(f"a trial on {len(learnt)} rows, judged on {len(validation)}", flush=True)


def _parts(job: Job, examples: Examples, task: Task, share: float) -> tuple[Examples, Examples]:
    """Rows to learn from and to judge on: parted by group or time as preparation has said, else at random."""
    if job.spec.data.split == "random":
        return split.split(examples, task, share=share, seed=job.spec.data.seed)
    parts = validation_rows.read(job.channel("train") / validation_rows.NAME, len(examples))
    return examples.take(parts.train), examples.take(parts.holdout)


def _learn(job: Job, examples: Examples) -> Callable[[Table], Values]:
    """What the model's own code learns from these rows, as a function that scores others: float64 [rows]."""
    features, framework = plugin.features(job.spec.name), frameworks.of(job.spec)
    model = plugin.training(job.spec.name).train(training_run(job, features, examples))
    return lambda table: framework.predict(model, features.features(table)).astype(np.float64)
