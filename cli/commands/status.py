"""`road status`: where every push stands, and what waits for whom."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

import naming
from cli import output, roads, target
from cli.executions import NOT_STARTED, RUNNING, Execution, Stage
from cli.roads import Road
from cli.target import Target
from config import CONFIG
from paved_runtime import spec
from pipelines.evidence import pack

COLOURS = {"Succeeded": "green", "Failed": "red", "InProgress": "cyan", "Stopped": "yellow", "Abandoned": "yellow", "Cancelled": "yellow"}
Standing = Mapping[tuple[str, str], str]


def status(
    model: Annotated[str | None, typer.Argument(help="Only this model's pipeline, or `platform`.")] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Keep looking until everything has ended or waits for a person.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Show where every push stands, and what serves. Of each pipeline what runs and what ended last: stages, failures, what waits for whom.

    What serves is asked of the endpoints themselves; where that is not what their stacks say, it is said with the way back.
    """
    names = [target.road(model)] if model else [*spec.names(), naming.PLATFORM]
    aws = target.choose(where)
    if watch and output.facts.is_terminal and not json:
        _watch_live(aws, names)
        return
    known = print_changes(aws, names, json=json) if watch else roads.read(aws, names)
    known = [roads.with_endpoints(aws, road) for road in known]
    output.show(view(known), [road.as_dict() for road in known], json=json)


def view(known: Sequence[Road]) -> Group:
    """The pipelines as a person reads them."""
    blocks: list[Text | Table] = []
    for road in known:
        if not road.executions:
            blocks.append(Text(f"{road.pipeline}: nothing was pushed yet\n", "dim"))
        for execution in road.newest:
            blocks += [_title(execution), _stages(road, execution)]
        for execution in road.older:
            blocks += [_title(execution), *_failure(execution), Text()]
        if endpoints := list(_endpoints(road)):
            blocks += [*endpoints, Text()]
        if road.retrainings and (began := road.retrainings.view()):
            blocks.append(began)
    return Group(*blocks)


def standing(known: Sequence[Road]) -> Standing:
    """A line about each stage that has begun, and about each execution that has ended, by execution and stage; none of older ones."""
    return {place: line for road in known for execution in road.newest for place, line in _lines(road, execution)}


def print_changes(aws: Target, names: Sequence[str], *, json: bool) -> list[Road]:
    """Print a line whenever a stage changes, until nothing goes on by itself; returns what stands then.

    With `json` the lines are no part of the facts.
    """
    console = output.narration if json else output.facts
    shown: Standing = {}
    while True:
        known = roads.read(aws, names)
        now = standing(known)
        for place, line in now.items():
            if shown.get(place) != line:
                console.print(line, markup=False)
        console.file.flush()
        shown = now
        if not any(road.moving for road in known):
            return known
        time.sleep(aws.pace)


def _watch_live(aws: Target, names: Sequence[str]) -> None:
    known = roads.read(aws, names)
    with Live(view(known), console=output.facts, auto_refresh=False) as live:
        while any(road.moving for road in known):
            time.sleep(aws.pace)
            known = roads.read(aws, names)
            live.update(view(known), refresh=True)
        live.update(view([roads.with_endpoints(aws, road) for road in known]), refresh=True)


def _lines(road: Road, execution: Execution) -> Iterator[tuple[tuple[str, str], str]]:
    where = f"{road.model} {execution.id[:8]}"
    for stage in execution.stages:
        if stage.status != NOT_STARTED:
            about = _about(road, execution, stage)
            yield (execution.id, stage.name), f"{where}  {stage.name} {_status(stage)}" + (f": {about}" if about else "")
    if not execution.running:
        yield (execution.id, ""), f"{where}  {execution.status}"


def _title(execution: Execution) -> Text:
    said = f"  {execution.said}" if execution.said else ""
    return Text.assemble(
        (execution.pipeline, "bold"),
        "  ",
        (execution.status, COLOURS.get(execution.status, "")),
        f"  commit {execution.commit[:8] or '?'}{said}",
        f"  ({execution.id})",
    )


def _failure(execution: Execution) -> Iterator[Text]:
    """What an older execution failed with: newer ones are shown stage by stage."""
    if stage := execution.failed:
        said = " ".join(part for part in (stage.said, execution.rollback) if part)
        yield Text.assemble(f"  {stage.name} ", (stage.status, COLOURS.get(stage.status, "")), f"  {said}" if said else "")


def _endpoints(road: Road) -> Iterator[Text]:
    """What serves in each environment, what is wrong with it, and which versions were approved beside the road."""
    for name, standing in road.endpoints.items():
        if standing.serves:
            yield Text.assemble(f"  {name}  ", ("serves", "green"), f" version {pack.group_and_version(standing.serves)[1]}")
        for line in standing.lines:
            yield Text.assemble(f"  {name}  ", (standing.state, "yellow" if standing.state == "under way" else "red"), f"  {line}")
    for version in road.unproven:
        yield Text.assemble("  ", ("unproven", "red"), f"  {version.line()}")


def _stages(road: Road, execution: Execution) -> Table:
    table = Table.grid(padding=(0, 2))
    for stage in execution.stages:
        status = Text(_status(stage), "yellow" if stage.waiting else COLOURS.get(stage.status, "dim"))
        seconds = "" if stage.seconds is None else f"{stage.seconds:.1f} s"
        about = Text(_about(road, execution, stage), "dim", overflow="fold")
        table.add_row("", stage.name, status, Text(seconds, justify="right"), about)
    table.add_row()
    return table


def _status(stage: Stage) -> str:
    return "waits for you" if stage.waiting else stage.status


def _about(road: Road, execution: Execution, stage: Stage) -> str:
    if stage.waiting:
        return f"{stage.request}: ./road approve {road.model} --reason …"
    rollback = execution.rollback if stage is execution.failed else ""
    if rollback.partition(": ")[2] in stage.said:
        rollback = ""
    source = stage.name == naming.SOURCE
    said = "" if source and stage.status == "Succeeded" else stage.said  # which is the commit's message
    exported = "" if source else " ".join(f"{name}={value}" for name, value in stage.variables.items())
    reuse = execution.reuse if stage.name == naming.TRAIN else ""
    return " ".join(part for part in (f"by {stage.by}" if stage.by else "", said, rollback, reuse, exported, _traffic(road, stage)) if part)


def _traffic(road: Road, stage: Stage) -> str:
    """That a version which is being deployed must be asked; nothing of other stages. In the first environment its stage asks it."""
    later = {naming.stage(environment): environment.name for environment in CONFIG.environments[1:]}
    if road.model == naming.PLATFORM or stage.status != RUNNING or stage.name not in later:
        return ""
    rows = spec.load(road.model).serving[later[stage.name]].deployment.minimum_requests
    return f"a new version must answer {rows} rows, real ones or ./road traffic {road.model} --data FILE.csv" if rows else ""
