"""`[training]`: how the training job runs, and what is searched for before."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from paved_runtime.spec.task import OBJECTIVES
from paved_runtime.spec.values import InstanceType, Plain, Section, Tuple

VALIDATION = "validation_"  # before the name of a metric that a trial of a search prints


def _number(value: object) -> object:
    """Refused here, a value is one problem, and not one for each type that it might have had."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"found {value!r}; accepted is a number")
    return value


class Range(Section):
    """Where a hyperparameter is searched: from `minimum` to `maximum`, both included, or among `values`.

    With the `scale` "log" each power of ten is searched as much as any other.
    """

    minimum: Annotated[int | float, BeforeValidator(_number)] | None = None
    maximum: Annotated[int | float, BeforeValidator(_number)] | None = None
    scale: Literal["linear", "log"] = "linear"
    values: Tuple[Plain] = Field(default=(), max_length=30)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Range:
        if self.values:
            if self.minimum is not None or self.maximum is not None or self.scale != "linear":
                raise ValueError("values stand alone: give them, or minimum and maximum")
            if repeated := [value for value in self.values if self.values.count(value) > 1]:
                raise ValueError(f"value {repeated[0]!r} is listed twice")
            return self
        if self.minimum is None or self.maximum is None:
            raise ValueError("give minimum and maximum, or values")
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not smaller than maximum {self.maximum}")
        if self.scale == "log" and self.minimum <= 0:
            raise ValueError(f"minimum {self.minimum}: a log scale is for what is above 0")
        return self

    def problem(self, default: float | str) -> str:
        """What is wrong with this range for a hyperparameter with that default; empty where it fits."""
        kind = {int: "an integer", float: "a number", str: "a text"}[type(default)]
        accepted = (int, float) if isinstance(default, float) else type(default)
        tried = self.values or tuple(end for end in (self.minimum, self.maximum) if end is not None)
        if isinstance(default, str) and not self.values:
            return "it is a text: accepted are values"
        wrong = next((value for value in tried if not isinstance(value, accepted)), None)
        return "" if wrong is None else f"found {wrong!r}; accepted is {kind}, as training.hyperparameters has it"


class Search(Section):
    """How good hyperparameters are searched for before the model is trained with the best that were found.

    Each of `jobs` trials, `parallel` at a time, learns from the training rows but a `validation` share of each outcome, and is judged on
    that share by `objective`; held-out rows are not touched. `ranges` has the hyperparameters that are searched, the others are as they
    are. The same `seed` has SageMaker try much the same again.
    """

    jobs: int = Field(ge=1, le=750)
    parallel: int = Field(default=1, ge=1, le=10)
    strategy: Literal["bayesian", "random"] = "bayesian"
    objective: str = "roc_auc"
    validation: float = Field(default=0.2, gt=0, lt=0.9)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    ranges: dict[str, Range] = Field(min_length=1, max_length=30)

    @model_validator(mode="after")
    def _trials_are_as_many_as_run_at_a_time(self) -> Search:
        if self.parallel > self.jobs:
            raise ValueError(f"parallel {self.parallel} is larger than jobs {self.jobs}")
        return self

    @property
    def metric(self) -> str:
        """The name of the objective, as a trial prints it and SageMaker knows it."""
        return f"{VALIDATION}{self.objective}"

    @property
    def maximize(self) -> bool:
        """Whether more of the objective is better."""
        return any(objectives.get(self.objective, False) for objectives in OBJECTIVES.values())


class Training(Section):
    """How the training job runs. Sizes in GiB, times in minutes. With a `search`, its hyperparameters are those that the search found.

    With `spot` it runs on instances that AWS may take back at any time, goes on from its checkpoints, and has `max_wait_minutes` in all,
    for waiting and for running. `reuse`: a push that changes nothing which training depends on goes on with the version that was trained
    last. `keep_alive_minutes` is how long SageMaker keeps the job's machines warm for the next one, which begins sooner then; they cost
    what they cost at work.
    """

    steps: Literal["one-job", "separate"] = "one-job"
    instance_type: InstanceType
    instance_count: int = Field(default=1, ge=1, le=20)
    spot: bool = False
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    max_wait_minutes: int | None = Field(default=None, ge=1, le=14 * 24 * 60)
    keep_alive_minutes: int = Field(default=0, ge=0, le=60)
    reuse: bool = True
    hyperparameters: dict[str, Plain] = Field(default={})
    search: Search | None = None

    @model_validator(mode="after")
    def _search_fits_hyperparameters(self) -> Training:
        for name, range_ in self.search.ranges.items() if self.search else ():
            if name not in self.hyperparameters:
                known = ", ".join(sorted(self.hyperparameters)) or "none"
                raise ValueError(f"search.ranges: there is no hyperparameter {name!r} in training.hyperparameters, which has {known}")
            if problem := range_.problem(self.hyperparameters[name]):
                raise ValueError(f"search.ranges.{name}: {problem}")
        return self

    @model_validator(mode="after")
    def _waiting_includes_running(self) -> Training:
        if self.max_wait_minutes is not None and self.max_wait_minutes < self.max_runtime_minutes:
            counted = f"max_runtime_minutes {self.max_runtime_minutes}: a spot job's time to wait counts its running, too"
            raise ValueError(f"max_wait_minutes {self.max_wait_minutes} is smaller than {counted}")
        return self

    @model_validator(mode="after")
    def _spot_instances_are_not_kept(self) -> Training:
        if self.spot and self.keep_alive_minutes:
            raise ValueError("keep_alive_minutes: SageMaker keeps no spot instances warm: take it out, or set spot = false")
        return self

    @property
    def longest_minutes(self) -> int:
        """What the training job may take in all: `max_runtime_minutes`; of a spot job `max_wait_minutes`, or twice what it may run."""
        if not self.spot:
            return self.max_runtime_minutes
        return self.max_wait_minutes or 2 * self.max_runtime_minutes
