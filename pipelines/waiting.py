"""How long a stage may wait, and how long a run of the training pipeline may take: what synth has to know without the SDK that defines one.

A run that may take longer than an action has is waited for by several in a row.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from paved_runtime.spec import ModelSpec

ACTIONS = 50  # of a stage at most (CodePipeline User Guide, "Quotas")
LONGEST_ACTION = 8 * 60  # minutes; CodePipeline's of an action that builds, whatever CodeBuild gives (User Guide, "Quotas")
LONGEST_WAIT = LONGEST_ACTION - 30  # minutes of waiting for AWS: CodePipeline ends an action without a word of why
UNFINISHED = "unfinished"  # what an action exports that ended before what it waits for
STARTING = 10  # minutes of a job that its time limit does not count: a machine, its image, its outputs
BATCH_MINUTES = 60  # that a batch of few rows may take: three jobs, each of which starts a machine


@dataclass(frozen=True, kw_only=True)
class Retries:
    """A step's retry policy, in SageMaker's words: the first of `max_attempts` comes `interval_seconds` after the failure, each later one
    after `backoff_rate` times as long.
    """

    interval_seconds: int
    backoff_rate: float
    max_attempts: int

    @property
    def minutes(self) -> float:
        """What lies between the attempts, all together."""
        return sum(self.interval_seconds * self.backoff_rate**attempt for attempt in range(self.max_attempts)) / 60

    @property
    def arguments(self) -> dict[str, Any]:
        """As the SDK's retry policies take them."""
        return asdict(self)


THROTTLED = Retries(interval_seconds=10, backoff_rate=2.0, max_attempts=5)
UNLUCKY = Retries(interval_seconds=60, backoff_rate=2.0, max_attempts=4)  # no machine is there, or SageMaker itself has failed
FULL = Retries(interval_seconds=300, backoff_rate=1.0, max_attempts=20)  # the quota is used by other jobs, which end
OF_JOBS, OF_CALLS = (THROTTLED, UNLUCKY, FULL), (THROTTLED,)


def jobs(model: ModelSpec) -> int:
    """How many jobs a run has in a row: the champion's, where there is a comparison, and training in its one or three."""
    return model.gates.champion.compare + (3 if model.training.steps == "separate" else 1)


def longest_run(model: ModelSpec) -> int:
    """The minutes that a run may take: each job all of its time, trials of a search among them, on spot instances also its time to wait,
    and every policy all of its retries.

    A job that SageMaker's own failure ends late, and that runs once more from its beginning, is not counted twice.
    """
    others = (_in_a_row(model) - 1) * model.training.max_runtime_minutes
    return math.ceil(model.training.longest_minutes + others + _beside_jobs(model))


def waits(model: ModelSpec) -> int:
    """How many actions in a row see the longest run end."""
    return math.ceil(longest_run(model) / LONGEST_WAIT)


def longest_job(model: ModelSpec) -> int:
    """The largest `max_runtime_minutes` whose run ends within the actions that a stage may have; `max_wait_minutes` grows with it."""
    share = model.training.longest_minutes / model.training.max_runtime_minutes
    return math.floor((ACTIONS * LONGEST_WAIT - _beside_jobs(model)) / (_in_a_row(model) - 1 + share))


def _in_a_row(model: ModelSpec) -> int:
    """The jobs that come one after the other: those of the steps, and as many trials of a search as do not run beside another."""
    search = model.training.search
    return jobs(model) + (math.ceil(search.jobs / search.parallel) if search else 0)


def _beside_jobs(model: ModelSpec) -> float:
    """What starting takes, and what all policies wait. A search has them once: its trials have none of their own."""
    waited = (jobs(model) + (model.training.search is not None)) * _waited(OF_JOBS) + _waited(OF_CALLS)
    return _in_a_row(model) * STARTING + waited


def _waited(policies: tuple[Retries, ...]) -> float:
    return sum(policy.minutes for policy in policies)
