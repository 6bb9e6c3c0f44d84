"""`road status`: where every push stands, and what waits for whom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli import executions, output, retrainings, target
from cli.executions import Execution, Stage
from cli.retrainings import Retrainings
from config import CONFIG
from model_code import spec
from pipelines.delivery import PLATFORM
from pipelines.steps import package, rollback

COLOURS = {"Succeeded": "green", "Failed": "red", "InProgress": "cyan", "Stopped": "yellow", "Abandoned": "yellow"}


@dataclass(frozen=True, kw_only=True)
class Road:
    """One pipeline: its executions, and what the model's judge has started or held back."""

    pipeline: str
    executions: list[Execution]
    retrainings: Retrainings | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        judged = {"retraining": self.retrainings.as_dict()} if self.retrainings else {}
        return {"pipeline": self.pipeline, "executions": [execution.as_dict() for execution in self.executions], **judged}


def status(
    model: Annotated[str | None, typer.Argument(help="Only this model's pipeline, or `platform`.")] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Keep looking until everything has ended or waits for a person.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Show the stages of every pipeline: status, time, commit, what was exported, what failed, what waits for whom."""
    names = _names(model)
    aws = target.choose(where)
    roads = _read(aws, names)
    if watch and output.facts.is_terminal and not json:
        with Live(view(roads), console=output.facts, auto_refresh=False) as live:
            while _moving(roads):
                time.sleep(aws.pace)
                roads = _read(aws, names)
                live.update(view(roads), refresh=True)
        return
    while watch and _moving(roads):
        time.sleep(aws.pace)
        roads = _read(aws, names)
    output.show(view(roads), [road.as_dict() for road in roads], json=json)


def view(roads: Sequence[Road]) -> Group:
    """The pipelines as a person reads them."""
    blocks: list[Text | Table] = []
    for road in roads:
        if not road.executions:
            blocks.append(Text(f"{road.pipeline}: nothing was pushed yet\n", "dim"))
        for execution in road.executions:
            blocks += [_title(execution), _stages(execution)]
        if road.retrainings and (told := road.retrainings.view()):
            blocks.append(told)
    return Group(*blocks)


def _names(model: str | None) -> list[str]:
    if model and model != PLATFORM:
        target.model(model)
    return [model] if model else [*spec.names(), PLATFORM]


def _read(aws: target.Target, names: Sequence[str]) -> list[Road]:
    codepipeline = aws.client("codepipeline")
    roads = []
    for name in names:
        found = [with_setback(aws, execution) for execution in executions.current(codepipeline, CONFIG.name(name))]
        judged = retrainings.read(aws, spec.load(name)) if name != PLATFORM else None
        roads.append(Road(pipeline=CONFIG.name(name), executions=found, retrainings=judged))
    return roads


def with_setback(aws: target.Target, execution: Execution) -> Execution:
    """The execution with what the registry says of its version's setback: CodePipeline itself knows only that a command failed."""
    arn = execution.variables.get("Train.MODEL_PACKAGE_ARN")
    if not (arn and execution.failed):
        return execution
    found = package.read(aws.client("sagemaker"), arn)
    if rollback.MARK not in found.metadata:
        return execution
    return replace(execution, setback=found.approval if found.status == "Rejected" else f"Rolled back: {found.metadata[rollback.MARK]}")


def _moving(roads: Sequence[Road]) -> bool:
    return any(execution.moving for road in roads for execution in road.executions)


def _title(execution: Execution) -> Text:
    colour = COLOURS.get(execution.status, "")
    said = f"  {execution.said}" if execution.said else ""
    return Text.assemble(
        (execution.pipeline, "bold"),
        "  ",
        (execution.status, colour),
        f"  commit {execution.commit[:8] or '?'}{said}",
        f"  ({execution.id})",
    )


def _stages(execution: Execution) -> Table:
    table = Table.grid(padding=(0, 2))
    for stage in execution.stages:
        waits = stage.waiting
        status = Text("waits for you", "yellow") if waits else Text(stage.status, COLOURS.get(stage.status, "dim"))
        seconds = "" if stage.seconds is None else f"{stage.seconds:.1f} s"
        table.add_row("", stage.name, status, Text(seconds, justify="right"), Text(_about(execution, stage), "dim", overflow="fold"))
    table.add_row()
    return table


def _about(execution: Execution, stage: Stage) -> str:
    if stage.waiting:
        model = execution.pipeline.removeprefix(f"{CONFIG.project}-").replace("-", "_")
        return f"{stage.request}: ./road approve {model} --reason …"
    setback = execution.setback if stage is execution.failed else ""
    if setback.partition(": ")[2] in stage.said:
        setback = ""
    said = stage.said if stage.name != "Source" else ""
    exported = " ".join(f"{name}={value}" for name, value in stage.variables.items() if stage.name != "Source")
    return " ".join(part for part in (f"by {stage.by}" if stage.by else "", said, setback, exported) if part)
