"""Runs of the monitor: started, waited for, brought here, and shown."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rich.console import Group
from rich.table import Table
from rich.text import Text

import naming
from cli import capture, output, standings
from cli.problem import Problem
from cli.progress import Step
from cli.target import Target
from cli.tree import MONITORED, relative
from config import CONFIG, Environment
from paved_runtime.spec import ModelSpec
from pipelines.deployment.standing import Standing

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

REPORT, PAGE = "monitor.json", "monitor.html"
SHOWN = 8  # columns, those that changed most
UNENDED = ("Executing", "Stopping")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one run of the monitor saw: `report` is the content of monitor.json, `source` where it lies in S3, `folder` the copy here.

    `standing` is how the endpoint stands now.
    """

    report: dict[str, Any]
    source: str
    folder: Path
    standing: Standing

    @property
    def page(self) -> str:
        """The page, as a person in this clone would type it."""
        return relative(self.folder / PAGE)

    @property
    def unread(self) -> list[str]:
        """What should have been seen and was not; a version whose image is older does not say."""
        sentences: list[str] = self.report.get("capture", {}).get("sentences", [])
        return sentences

    @property
    def result(self) -> str:
        """In a few words."""
        if self.report["skipped"]:
            return f"skipped: {self.report['skipped']}"
        moved = self.report["moved"]
        return f"{len(moved)} moved" if moved else "nothing moved"

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**self.report, "source": self.source, "page": str(self.folder / PAGE), "endpoint_now": self.standing.as_dict()}

    def view(self) -> Group:
        """For a person: what moved first, then the columns that changed most."""
        report, window = self.report, self.report["window"]
        wrong = {f"endpoint {number}": line for number, line in enumerate(self.standing.lines, start=1)}
        rows = {
            **wrong,
            "version": f"{report['model_version']} at {report['endpoint']}",
            "window": f"{window['start']} to {window['end']}: {report['rows']} rows in {report['requests']} requests",
            **{f"capture {number}": line for number, line in enumerate(self.unread, start=1)},
            "result": self.result,
            **{f"moved {number}": moved["sentence"] for number, moved in enumerate(report["moved"], start=1)},
            **_groups(report.get("groups") or {}),
            **_quality(report.get("quality") or {}),
            "page": self.page,
        }
        table = output.table(rows)
        return Group(table) if report["skipped"] else Group(table, Text(), _columns(report))


def run(aws: Target, model: ModelSpec, place: Environment, step: Step) -> Look:
    """Start the monitoring pipeline, wait for its end, and bring what it saw.

    Raises:
        Problem: there is no such pipeline, it could not do its work, or nothing answers, so that there is nothing new to see.
    """
    sagemaker = aws.session(place.account).client("sagemaker")
    pipeline = _pipeline(sagemaker, model, place)
    now = standings.look(aws, model, place)
    if now.state in ("gone", "failed"):
        raise Problem(f"monitor of {model.name} in {place.name}", "; ".join(now.lines), "--last shows what was seen before")
    arn = sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=str(uuid4()))["PipelineExecutionArn"]
    while (status := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]) in UNENDED:
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        step.note = ", ".join(f"{s['StepName']} {s['StepStatus']}" for s in steps)
        time.sleep(aws.pace)
    if status != "Succeeded":
        raise Problem(f"monitor of {model.name} in {place.name}", _reason(sagemaker, arn, status), "correct that and run it again")
    look = bring(aws, model, place, arn, now)
    step.note = look.result
    return look


def newest(aws: Target, model: ModelSpec, place: Environment) -> Look:
    """What the newest finished run saw. Raises Problem when there is none."""
    sagemaker = aws.session(place.account).client("sagemaker")
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=_pipeline(sagemaker, model, place), SortBy="CreationTime", SortOrder="Descending"
    )
    for execution in (execution for page in pages for execution in page["PipelineExecutionSummaries"]):
        if execution["PipelineExecutionStatus"] == "Succeeded":
            return bring(aws, model, place, execution["PipelineExecutionArn"], standings.look(aws, model, place))
    raise Problem(f"monitor of {model.name} in {place.name}", "no run has ended well yet", f"./road monitor {model.name} starts one")


def bring(aws: Target, model: ModelSpec, place: Environment, arn: str, standing: Standing) -> Look:
    """Copy one run's report and page to this clone. `standing` is how the endpoint stands now."""
    s3, bucket = aws.session(place.account).client("s3"), capture.bucket(aws, model.name, place)
    execution = arn.rpartition("/")[2]
    folder = MONITORED / model.name / place.name / execution
    folder.mkdir(parents=True, exist_ok=True)
    for name in (REPORT, PAGE):
        s3.download_file(bucket, f"{naming.MONITORING}/{execution}/{name}", str(folder / name))
    source = f"s3://{bucket}/{naming.MONITORING}/{execution}"
    return Look(report=json.loads((folder / REPORT).read_bytes()), source=source, folder=folder, standing=standing)


def _pipeline(sagemaker: SageMakerClient, model: ModelSpec, place: Environment) -> str:
    """The monitoring pipeline's name. Raises Problem when nothing is watched there."""
    name = naming.monitoring_pipeline(CONFIG, model.name, place)
    try:
        sagemaker.describe_pipeline(PipelineName=name)
    except sagemaker.exceptions.ResourceNotFound as error:
        why = "it is not watched" if model.monitoring is None or place != CONFIG.environments[-1] else "it is not deployed there yet"
        do = "./road push, ./road status" if why.endswith("yet") else "model.toml's [monitoring] is about the last environment"
        raise Problem(f"{model.name} in {place.name}", why, do) from error
    return name


def _reason(sagemaker: SageMakerClient, arn: str, status: str) -> str:
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    failed = [
        f"step {step['StepName']}: {step.get('FailureReason', 'no reason given')}" for step in steps if step["StepStatus"] == "Failed"
    ]
    return "; ".join(failed) or f"{arn} is {status}"


def _groups(groups: dict[str, Any]) -> dict[str, str]:
    """The feature groups of which something has moved."""
    moved = {name: group["moved"] for name, group in groups.items() if group["moved"]}
    return {f"feature group {name}": f"{', '.join(columns)} moved" for name, columns in moved.items()}


def _quality(quality: dict[str, Any]) -> dict[str, str]:
    if not quality.get("labelled"):
        return {}
    if quality.get("skipped"):
        return {"labels": quality["skipped"]}
    low, high = quality["interval"]
    title, figure, evaluated = _headline(quality)
    figures = f"{title} {figure:.4f} ({low:.4f} to {high:.4f}), at evaluation {evaluated:.4f}"
    return {"labels": f"{quality['labelled']} joined: {figures}; calibration error {quality['calibration_error']:.4f}"}


def _headline(quality: dict[str, Any]) -> tuple[str, float, float]:
    """What people call the metric that was judged, what it is now, and what it was; an older version's report knows ROC AUC only."""
    if "figure" in quality:
        return quality["title"], quality["figure"], quality["evaluation_figure"]
    return "ROC AUC", quality["roc_auc"], quality["evaluation_roc_auc"]


def _columns(report: dict[str, Any]) -> Table:
    table = Table("", "PSI", "test", "p, adjusted", box=None, pad_edge=False, header_style="dim")
    predicted = report.get("predicted")
    known = [*report["columns"].items(), ("score", report["scores"]), *([("class", predicted)] if predicted else [])]
    for name, column in sorted(known, key=lambda item: -(item[1]["psi"] or 0))[:SHOWN]:
        style = "red" if column["moved"] else ""
        psi, statistic, chance = (column[figure] for figure in ("psi", "statistic", "adjusted_p_value"))
        test = "all cells are empty" if statistic is None else f"{column['test']} {statistic:.3g}"
        table.add_row(Text(name, style), Text(_figure(psi, ".3f"), style), test, _figure(chance, ".2g"))
    return table


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
