"""`road monitor`: the look at what an endpoint was asked and what it answered, now instead of at the schedule's next turn."""

from __future__ import annotations

import json as encoder
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import evidence, output, target
from cli.labels import capture_bucket
from cli.problem import Problem
from cli.progress import Progress, Step
from cli.target import Target
from cli.tree import MONITORED, relative
from config import CONFIG, Environment
from model_code.spec import ModelSpec

REPORT, PAGE = "monitor.json", "monitor.html"
SHOWN = 8  # columns, those that changed most


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one run of the monitor found: the content of monitor.json, where it lies in S3, and the copy of it here."""

    found: dict[str, Any]
    source: str
    folder: Path

    @property
    def page(self) -> str:
        """The page, as a person in this clone would type it."""
        return relative(self.folder / PAGE)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**self.found, "source": self.source, "page": str(self.folder / PAGE)}

    def view(self) -> Group:
        """For a person: what moved first, then the columns that changed most."""
        found, window = self.found, self.found["window"]
        rows = {
            "version": f"{found['model_version']} at {found['endpoint']}",
            "window": f"{window['start']} to {window['end']}: {found['rows']} rows in {found['requests']} requests",
            "result": _result(found),
            **{f"moved {number}": moved["sentence"] for number, moved in enumerate(found["moved"], start=1)},
            **_quality(found.get("quality") or {}),
            "page": self.page,
        }
        table = evidence.table(rows)
        return Group(table) if found["skipped"] else Group(table, Text(), _columns(found))


def monitor(
    model: target.Model,
    *,
    last: Annotated[bool, typer.Option("--last", help="Show what the newest finished run found, and start none.")] = False,
    environment: Annotated[str, typer.Option(metavar="NAME", help="Which environment's endpoint.")] = CONFIG.environments[-1].name,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Run the monitor now, show what moved, and bring its page here. Drift is a finding, not a failure."""
    known, place = target.model(model), target.environment(environment)
    aws = target.choose(where)
    if last:
        look = newest(aws, known, place)
    else:
        with Progress() as progress, progress.step("look at what was captured") as step:
            look = run(aws, known, place, step)
    output.show(look.view(), look.as_dict(), json=json)
    if output.has_screen() and not (no_open or json):
        webbrowser.open((look.folder / PAGE).resolve().as_uri())


def run(aws: Target, model: ModelSpec, place: Environment, step: Step) -> Look:
    """Start the monitoring pipeline, wait for its end, and bring what it found.

    Raises:
        Problem: there is no such pipeline, or it could not do its work.
    """
    sagemaker = aws.client("sagemaker", place.account)
    arn = sagemaker.start_pipeline_execution(PipelineName=_pipeline(sagemaker, model, place), ClientRequestToken=str(uuid4()))
    arn = arn["PipelineExecutionArn"]
    while (status := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]) in (
        "Executing",
        "Stopping",
    ):
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        step.note = ", ".join(f"{s['StepName']} {s['StepStatus']}" for s in steps)
        time.sleep(aws.pace)
    if status != "Succeeded":
        raise Problem(f"monitor of {model.name} in {place.name}", _reason(sagemaker, arn, status), "correct that and run it again")
    look = bring(aws, model, place, arn)
    step.note = _result(look.found)
    return look


def newest(aws: Target, model: ModelSpec, place: Environment) -> Look:
    """What the newest finished run found. Raises Problem when there is none."""
    sagemaker = aws.client("sagemaker", place.account)
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=_pipeline(sagemaker, model, place), SortBy="CreationTime", SortOrder="Descending"
    )
    for execution in (execution for page in pages for execution in page["PipelineExecutionSummaries"]):
        if execution["PipelineExecutionStatus"] == "Succeeded":
            return bring(aws, model, place, execution["PipelineExecutionArn"])
    raise Problem(f"monitor of {model.name} in {place.name}", "no run has ended well yet", f"./road monitor {model.name} starts one")


def bring(aws: Target, model: ModelSpec, place: Environment, arn: str) -> Look:
    """Copy one run's report and page to this clone."""
    s3, bucket, execution = aws.client("s3", place.account), capture_bucket(aws, model.name, place), arn.rpartition("/")[2]
    folder = MONITORED / model.name / place.name / execution
    folder.mkdir(parents=True, exist_ok=True)
    for name in (REPORT, PAGE):
        s3.download_file(bucket, f"monitor/{execution}/{name}", str(folder / name))
    return Look(found=encoder.loads((folder / REPORT).read_bytes()), source=f"s3://{bucket}/monitor/{execution}", folder=folder)


def _pipeline(sagemaker: Any, model: ModelSpec, place: Environment) -> str:
    """The monitoring pipeline's name. Raises Problem when nothing is watched there."""
    name = CONFIG.name(model.name, place.name, "monitoring")
    try:
        sagemaker.describe_pipeline(PipelineName=name)
    except sagemaker.exceptions.ResourceNotFound as error:
        why = "it is not watched" if model.monitoring is None or place != CONFIG.environments[-1] else "it is not deployed there yet"
        do = "./road push, ./road status" if why.endswith("yet") else "model.toml's [monitoring] is about the last environment"
        raise Problem(f"{model.name} in {place.name}", why, do) from error
    return name


def _reason(sagemaker: Any, arn: str, status: str) -> str:
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    failed = [
        f"step {step['StepName']}: {step.get('FailureReason', 'no reason given')}" for step in steps if step["StepStatus"] == "Failed"
    ]
    return "; ".join(failed) or f"{arn} is {status}"


def _result(found: dict[str, Any]) -> str:
    if found["skipped"]:
        return f"skipped: {found['skipped']}"
    return f"{len(found['moved'])} moved" if found["moved"] else "nothing moved"


def _quality(quality: dict[str, Any]) -> dict[str, str]:
    if not quality.get("labelled"):
        return {}
    if quality.get("skipped"):
        return {"labels": quality["skipped"]}
    low, high = quality["interval"]
    figures = f"ROC AUC {quality['roc_auc']:.4f} ({low:.4f} to {high:.4f}), at evaluation {quality['evaluation_roc_auc']:.4f}"
    return {"labels": f"{quality['labelled']} joined: {figures}; calibration error {quality['calibration_error']:.4f}"}


def _columns(found: dict[str, Any]) -> Table:
    table = Table("", "PSI", "test", "p, adjusted", box=None, pad_edge=False, header_style="dim")
    known = [*found["columns"].items(), ("score", found["scores"])]
    for name, column in sorted(known, key=lambda item: -(item[1]["psi"] or 0))[:SHOWN]:
        style = "red" if column["moved"] else ""
        psi, statistic, chance = (column[figure] for figure in ("psi", "statistic", "adjusted_p_value"))
        test = "all cells are empty" if statistic is None else f"{column['test']} {statistic:.3g}"
        table.add_row(Text(name, style), Text(_figure(psi, ".3f"), style), test, _figure(chance, ".2g"))
    return table


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
