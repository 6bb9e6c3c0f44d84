"""Batches as a person has them: files handed in, runs followed step by step, results brought here, and what each run was."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

import naming
from cli import output, standings
from cli.problem import Problem
from cli.progress import Progress, Step
from cli.target import Target
from cli.tree import relative
from config import CONFIG, Environment
from paved_runtime.spec import Batch, ModelSpec
from pipelines.deployment import accounts
from pipelines.deployment.batches import SUCCEEDED, Batches, Run
from pipelines.deployment.errors import DeploymentError

SUFFIXES = (".csv", ".jsonl", ".parquet")  # of files of rows
S3 = "s3://"
SHOWN = 20  # runs in a list
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What came of a run: its manifest, where that lies, and the folder here that has the results, where they were brought."""

    run: Run
    manifest: Json
    uri: str
    folder: Path | None

    def as_dict(self) -> Json:
        """For `--json`."""
        return {**self.manifest, "manifest": self.uri, "folder": str(self.folder) if self.folder else None}

    def view(self) -> Table:
        """For a person."""
        manifest = self.manifest
        rows = {
            "version": f"{manifest['model']} {manifest['model_version']} ({manifest['model_package_arn']})",
            "rows": f"{manifest['rows']}: {manifest['scored']} scored, {manifest['failed']} without a score",
            "results": relative(self.folder) if self.folder else manifest["output"]["uri"],
            "manifest": self.uri,
        }
        return output.table(rows)


def enter(aws: Target, model: ModelSpec, place: Environment) -> tuple[Batches, Batch]:
    """The batches of a model in an environment, and what `model.toml` says of them. Raises Problem where there are none."""
    table = model.serving[place.name].batch
    if table is None:
        why = f"model_code/{model.name}/model.toml has no [serving.{place.name}.batch]"
        raise Problem(f"batches of {model.name} in {place.name}", why, "docs/serving-shapes.md, Batch, shows what to write")
    clients, name = accounts.of(aws.session(place.account)), naming.batch_stack(CONFIG, model.name, place)
    try:
        return Batches.open(standings.place(aws, model, place).cloudformation, clients, name), table
    except DeploymentError as error:
        raise Problem(f"batches of {model.name} in {place.name}", "they are not deployed yet", "./road push, ./road status") from error


def rows(batches: Batches, table: Batch, text: str, path: Path) -> str:
    """The URI of the rows that a person names: of S3, where batches may read, or of files here, which are uploaded.

    Raises:
        Problem: there are no such files, or no batch may read there.
    """
    if text.startswith(S3):
        return _within(text, [f"{S3}{batches.outputs.batch_bucket}/", table.input], "--input", "input")
    files = sorted(each for each in path.iterdir() if _has_rows(each)) if path.is_dir() else [path]
    if not files or not all(_has_rows(each) for each in files):
        found = "there is no such file" if len(files) == 1 and not files[0].exists() else f"no file of {', '.join(SUFFIXES)} there"
        raise Problem(f"--input {text}", found, "name a CSV, JSON Lines or Parquet file, or a folder of such", code=2)
    return batches.put(files)


def again(batches: Batches, execution: str) -> str:
    """Have a run go on that failed; its ARN. Raises Problem where there is no such run, or it has not failed."""
    try:
        arn = batches.arn(execution)
        batches.retry(arn)
    except DeploymentError as error:
        raise Problem("--resume", str(error), "name another one", code=2) from error
    return arn


def target_of(table: Batch, text: str | None) -> str:
    """The URI where results go beside the run's own folder; empty where they only go there. Raises Problem where no batch may write."""
    return _within(text, [table.output], "--output", "output") if text and text.startswith(S3) else ""


def follow(aws: Target, batches: Batches, arn: str) -> Run:
    """Wait for the end of a run, each of its steps shown. Raises Problem where it failed."""
    shown: dict[str, Step] = {}
    with Progress() as progress:
        while True:
            run = batches.look(arn)
            for name, status in run.steps:
                step = shown.get(name) or shown.setdefault(name, progress.begin(name))
                if step.seconds is None and status not in ("Starting", "Executing", "Stopping"):
                    step.end("ok" if status == SUCCEEDED else "failed")
            if run.ended:
                break
            time.sleep(aws.pace)
    if run.status != SUCCEEDED:
        raise Problem(f"batch {run.id}", run.why or f"it is {run.status}", f"correct that, then --resume {run.id} has it go on")
    return run


def bring(batches: Batches, run: Run, folder: Path | None) -> Scored:
    """What came of a run that has ended well, its results copied to `folder`, if one is given. Raises Problem without a manifest."""
    base = batches.results(run.id)
    manifest = batches.manifest(run.id)
    if manifest is None:
        raise Problem(f"batch {run.id}", f"{base} has no {naming.BATCH_MANIFEST}", "see its step Collect in the console")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        bucket, _, prefix = base.removeprefix(S3).partition("/")
        for page in batches.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                file = folder / entry["Key"].removeprefix(prefix)
                file.parent.mkdir(parents=True, exist_ok=True)
                batches.s3.download_file(bucket, entry["Key"], str(file))
    return Scored(run=run, manifest=manifest, uri=base + naming.BATCH_MANIFEST, folder=folder)


def recent(batches: Batches) -> list[Json]:
    """The newest runs: id, state, when they began, and what their manifests say."""
    listed = []
    for arn, summary in islice(batches.recent(), SHOWN):
        execution = arn.rpartition("/")[2]
        manifest = batches.manifest(execution) or {}
        known = {name: manifest.get(name) for name in ("model_version", "rows", "scored", "failed")}
        listed.append({"execution": execution, "status": summary["PipelineExecutionStatus"], "began": summary["StartTime"], **known})
    return listed


def view(runs: Sequence[Json]) -> Table | Text:
    """Those as a person reads them."""
    if not runs:
        return Text("no batch has run yet")
    table = Table("execution", "began", "state", "version", "rows", "without a score", box=None, pad_edge=False, header_style="dim")
    for run in runs:
        began: datetime = run["began"]
        figures = ["" if run[name] is None else str(run[name]) for name in ("model_version", "rows", "failed")]
        table.add_row(run["execution"], f"{began:%Y-%m-%d %H:%M}", run["status"], *figures)
    return table


def _has_rows(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES


def _within(uri: str, folders: Sequence[str | None], option: str, key: str) -> str:
    known = [f"{folder.rstrip('/')}/" for folder in folders if folder]
    if not any(f"{uri.rstrip('/')}/".startswith(folder) for folder in known):
        accepted = " or ".join(known) or f"none: model.toml has no serving.<environment>.batch.{key}"
        raise Problem(
            f"{option} {uri}", f"batches may not go there; accepted is below {accepted}", f"name it in batch.{key} and push", code=2
        )
    return uri
