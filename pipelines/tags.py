"""Whose a thing is, and what it costs money for: the tags of all that stacks make, and of the jobs that pipelines start.

CloudFormation gives a stack's tags to every resource that takes some ("Add tags to CloudFormation stacks"). Jobs are made by a pipeline
and get nothing from it, so its definition says theirs. A version in the registry has the tags of its group (CreateModelPackage).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from config import Config, Environment
from paved_runtime.spec import ModelSpec

PROJECT = "project"
JOBS = ("Processing", "Training", "Transform", "Tuning")  # types of steps
Json = dict[str, Any]


def of(config: Config, model: ModelSpec | None = None, environment: Environment | None = None) -> dict[str, str]:
    """The tags of what is made for the project, for one of its models, or for that in one environment. Those of `config.py` come first."""
    whose = {"model": model.name, "owner": model.owner} if model else {}
    where = {"environment": environment.name} if environment else {}
    return {PROJECT: config.project, **whose, **where, **config.tags}


def with_jobs(definition: Json, tags: Mapping[str, str]) -> Json:
    """A SageMaker pipeline's definition, whose jobs have these tags."""
    listed = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
    for step in _steps(definition["Steps"]):
        if step["Type"] in JOBS:
            step["Arguments"]["Tags"] = listed
    return definition


def _steps(steps: list[Json]) -> Iterator[Json]:
    """Every step, those of branches too."""
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from _steps(step.get("Arguments", {}).get(branch, []))
