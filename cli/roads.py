"""Where the roads stand: of each model, and of the platform, what is under way, what ended last, and what began by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import naming
from cli import executions, retrainings, standings, target
from cli.executions import Execution
from cli.retrainings import Retrainings
from cli.target import Target
from config import CONFIG
from pipelines.delivery import MODEL_PACKAGE_ARN
from pipelines.deployment import package, rollback
from pipelines.deployment.standing import Standing
from pipelines.deployment.unproven import Unproven, unproven

NEWEST = 10  # approved versions whose evidence is looked at


@dataclass(frozen=True, kw_only=True)
class Road:
    """One pipeline, which is `model`'s or the platform's: its executions, and what the retraining controller has started or held back.

    Of a model, once it was asked: how its endpoint stands in each environment, and which versions were approved beside the road.
    """

    model: str
    executions: Sequence[Execution]
    retrainings: Retrainings | None = None
    endpoints: Mapping[str, Standing] = field(default_factory=dict)
    unproven: Sequence[Unproven] = ()

    @property
    def pipeline(self) -> str:
        """The delivery pipeline's name."""
        return naming.delivery_pipeline(CONFIG, self.model)

    @property
    def newest(self) -> Sequence[Execution]:
        """Those that run, and the one that ended last."""
        running = [execution for execution in self.executions if execution.running]
        return self.executions[: len(running) + 1]

    @property
    def older(self) -> Sequence[Execution]:
        """Those that ended before, each of another commit."""
        return self.executions[len(self.newest) :]

    @property
    def moving(self) -> bool:
        """Whether something goes on by itself."""
        return any(execution.moving for execution in self.executions)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        began = {"retraining": self.retrainings.as_dict()} if self.retrainings else {}
        endpoints = {name: standing.as_dict() for name, standing in self.endpoints.items()}
        doubtful = [asdict(version) for version in self.unproven]
        executions = [execution.as_dict() for execution in self.executions]
        return {"pipeline": self.pipeline, "executions": executions, **began, "endpoints": endpoints, "unproven": doubtful}


def read(aws: Target, names: Sequence[str]) -> list[Road]:
    """The roads of these models, or of the platform."""
    return [_read(aws, name) for name in names]


def with_endpoints(aws: Target, road: Road) -> Road:
    """The road of a model with what serves, which is asked of SageMaker, what was approved beside it, and which of its executions trained
    nothing. The platform's has none of these.
    """
    if road.model == naming.PLATFORM:
        return road
    model = target.model(road.model)
    endpoints = {each.name: standings.look(aws, model, each) for each in CONFIG.environments}
    known = [with_reuse(aws, execution) for execution in road.executions]
    return replace(road, executions=known, endpoints=endpoints, unproven=unproven(aws.registry(model), newest=NEWEST))


def with_rollback(aws: Target, execution: Execution) -> Execution:
    """The execution with what the registry says of its version's rollback: CodePipeline itself knows only that a command failed."""
    arn = execution.variable(MODEL_PACKAGE_ARN)
    if not (arn and execution.failed):
        return execution
    version = package.read(aws.session().client("sagemaker"), arn)
    if rollback.MARK not in version.metadata:
        return execution
    return replace(
        execution, rollback=version.approval if version.status == "Rejected" else f"Rolled back: {version.metadata[rollback.MARK]}"
    )


def with_reuse(aws: Target, execution: Execution) -> Execution:
    """The execution with what the registry says of the version that was trained, where it is another one than that of the execution."""
    arn = execution.variable(MODEL_PACKAGE_ARN)
    known = package.read(aws.session().client("sagemaker"), arn).metadata if arn else {}
    if package.TRAINED_AS not in known:
        return execution
    version = known[package.TRAINED_AS].rpartition("/")[2]
    said = f"nothing was trained: version {version}, of commit {known[package.TRAINED_COMMIT][:8]}, goes on"
    return replace(execution, reuse=said)


def _read(aws: Target, name: str) -> Road:
    current = executions.current(aws.session().client("codepipeline"), naming.delivery_pipeline(CONFIG, name))
    model = None if name == naming.PLATFORM else target.model(name)
    limits = model.monitoring.retraining if model and model.monitoring else None
    return Road(
        model=name,
        executions=[with_rollback(aws, execution) for execution in current],
        retrainings=retrainings.read(aws.registry(model), limits.per_week) if model and limits else None,
    )
