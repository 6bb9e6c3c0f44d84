"""`road demo`: the whole road, from nothing to a scored lead in production, on this laptop.

1. a localcloud of its own    2. bootstrap, deploy    3. data    4. push    5. the pipeline's stages
6. a person's approval        7. production           8. what came of it
"""

from __future__ import annotations

import csv
import json as encoder
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli import approve, candidate, data, datafile, evidence, executions, local, logs, output, target
from cli.candidate import Candidate
from cli.datafile import DataFile
from cli.executions import Execution, Stage
from cli.invoke import JSON, ask
from cli.local import LocalCloud
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress, Step
from cli.repository import Clone
from cli.tree import HERE, relative
from cli.up import Port, Speed, deploy
from config import CONFIG
from model_code.spec import Category, ModelSpec
from pipelines.evidence import pack

MODEL = "lead_scoring"
ROWS, SEED = 20_000, 7
TAIL = 15
REASON = "demo"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the road has brought forth. Times in seconds."""

    endpoint: str
    url: str
    request: dict[str, Any]
    answer: dict[str, Any]
    proof: Candidate
    page: str
    stages: dict[str, float]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        scored = {"request": self.request, "answer": self.answer}
        times = {"stages": self.stages, "seconds": round(self.seconds, 1)}
        return {"endpoint": self.endpoint, "url": self.url, "scored": scored, "page": self.page, **self.proof.as_dict(), **times}

    def view(self) -> Table:
        """For a person."""
        table = Table.grid(padding=(0, 2))
        rows = {
            "endpoint": f"{self.endpoint} at {self.url}",
            "scored": f"{encoder.dumps(self.request)}\n→ {encoder.dumps(self.answer)}",
            "metrics": ", ".join(f"{name} {m['value']:.4f} (gate {m['gate']})" for name, m in self.proof.metrics.items()),
            "model package": self.proof.model_package_arn,
            "commit": self.proof.commit,
            "evidence": self.page,
            "times": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.stages.items()) + f"; all {self.seconds:.1f} s",
        }
        for name, value in rows.items():
            table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
        return table


def demo(
    *,
    data_file: Annotated[Path | None, typer.Option("--data", metavar="CSV", help="A data set; without it a synthetic one is made.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking, and stop at the end.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="With --yes: leave it running until Ctrl-C or ./road down.")] = False,
    port: Port = 0,
    speed: Speed = local.DEFAULT_SPEED,
    json: output.Json = False,
) -> None:
    """Take lead_scoring the whole road on this laptop: from a push to a tested, approved endpoint in production."""
    model = target.model(MODEL)
    if not yes and not sys.stdin.isatty():
        raise Problem("approval", "there is no terminal to ask on", "add --yes", code=2)
    started = time.monotonic()
    with TemporaryDirectory() as folder:
        checked = datafile.check(data_file or _synthetic(Path(folder)), model)
        with _cloud(port, speed) as (cloud, process, progress):
            with progress:
                outcome = _road(cloud, progress, model, checked, yes=yes, started=started)
            output.show(outcome.view(), outcome.as_dict(), json=json)
            if keep or not yes:
                say(f"It runs on at {cloud.url} until Ctrl-C or ./road down.")
                with suppress(KeyboardInterrupt):
                    process.wait()


@contextmanager
def _cloud(port: int, speed: float) -> Iterator[tuple[LocalCloud, subprocess.Popen[str], Progress]]:
    """A localcloud that does not outlive the block, however the block ends. Its logs stay when the block has failed."""
    if running := local.find():
        raise Problem("demo", f"a localcloud runs already at {running.url}", "./road down")
    progress = Progress()
    try:
        with progress.step("start localcloud"):
            cloud, process = local.start(port=port, speed=speed, leash=True)
        say(f"target: localcloud {cloud.url}")
        yield cloud, process, progress
    except KeyboardInterrupt:
        say(local.stop())
        raise
    except BaseException:
        local.end()
        raise
    else:
        say(local.stop())


def _road(cloud: LocalCloud, progress: Progress, model: ModelSpec, file: DataFile, *, yes: bool, started: float) -> Outcome:
    aws = target.Target(cloud=cloud)
    deploy(cloud, progress, fresh=True)
    with progress.step("store the data set") as step:
        data.store(aws, model.name, file)
        step.note = f"{file.rows} rows"
    with progress.step("push") as step:
        execution_id, step.note = _push(aws, cloud, model)
    waiting = _follow(aws, progress, model, execution_id)
    proof = candidate.gather(aws, model, waiting)
    with progress.pause():
        output.draw(proof.view())
        proof.must_be_sound()
        reason = REASON if yes else _asked()
    approve.answer(aws, waiting, status="Approved", reason=reason, model_package_arn=proof.model_package_arn)
    done = _follow(aws, progress, model, execution_id)
    production = CONFIG.environments[-1]
    request = {"instances": [_lead(file.path, model)]}
    endpoint = CONFIG.name(model.name, production.name)
    answer = ask(aws.client("sagemaker-runtime", production.account), endpoint, encoder.dumps(request).encode(), JSON)
    return Outcome(
        endpoint=endpoint,
        url=cloud.url,
        request=request,
        answer=encoder.loads(answer),
        proof=candidate.gather(aws, model, done),
        page=relative(evidence.bring(aws, model.name)[1] / pack.PAGE),
        stages={step.name: round(step.elapsed, 1) for step in progress.steps},
        seconds=time.monotonic() - started,
    )


def _push(aws: target.Target, cloud: LocalCloud, model: ModelSpec) -> tuple[str, str]:
    """Push this tree; the model's execution that it has started, and what was pushed. Everything else it started is stopped."""
    clone = Clone(HERE)
    commit = clone.snapshot()
    clone.push(commit, remote=cloud.remote, branch=CONFIG.repository.branch)
    codepipeline = aws.client("codepipeline")
    mine = executions.one(codepipeline, CONFIG.name(model.name))
    for pipeline in codepipeline.list_pipelines()["pipelines"]:
        if pipeline["name"] != mine.pipeline:
            for other in executions.summaries(codepipeline, pipeline["name"]):
                codepipeline.stop_pipeline_execution(
                    pipelineName=pipeline["name"],
                    pipelineExecutionId=other["pipelineExecutionId"],
                    abandon=True,
                    reason="the demo follows one model's road",
                )
    return mine.id, f"{commit[:8]}{'' if commit == clone.head() else ', with changes that are not committed'}"


def _follow(aws: target.Target, progress: Progress, model: ModelSpec, execution_id: str) -> Execution:
    """Show the stages until the execution waits for a person or has succeeded. Raises Problem when a stage fails."""
    codepipeline = aws.client("codepipeline")
    shown = {step.name: step for step in progress.steps}
    while True:
        execution = executions.one(codepipeline, CONFIG.name(model.name), execution_id)
        for stage in execution.stages:
            if stage.started:
                _draw(stage, shown.get(stage.name) or shown.setdefault(stage.name, progress.begin(stage.name)))
        if execution.approval or execution.status == "Succeeded":
            return execution
        if execution.failed and not execution.running:
            raise _failure(aws, execution, execution.failed)
        time.sleep(aws.pace)


def _draw(stage: Stage, step: Step) -> None:
    if stage.waiting:
        step.state = "waiting"
    elif stage.status == "Succeeded" and step.seconds is None:
        step.end(seconds=stage.seconds)
    elif stage.ended and step.seconds is None:
        step.end("failed", seconds=stage.seconds)


def _failure(aws: target.Target, execution: Execution, stage: Stage) -> Problem:
    """Show the end of the stage's log, keep all of it, and say what failed."""
    lines = logs.whole(aws, execution, stage.name)
    assert aws.cloud is not None
    kept = aws.cloud.logs / f"{stage.name}.log"
    kept.write_text("\n".join(lines) + "\n")
    say("\n".join(lines[-TAIL:]))
    return Problem(
        f"stage {stage.name} failed", stage.said or stage.status, f"correct it and run ./road demo again; its log: {relative(kept)}"
    )


def _asked() -> str:
    if not typer.confirm("Approve this version for production?", err=True):
        raise Problem("stage Approval", "you did not approve", "run ./road demo again")
    return str(typer.prompt("Why", default=REASON, err=True))


def _synthetic(folder: Path) -> Path:
    file = folder / "synthetic.csv"
    made = ["--rows", str(ROWS), "--seed", str(SEED), "--out", str(file)]
    subprocess.run([sys.executable, "-m", f"model_code.{MODEL}.synthetic", *made], cwd=HERE, check=True)
    return file


def _lead(file: Path, model: ModelSpec) -> dict[str, str | float]:
    """The data set's first row as a request: features only, numbers as numbers."""
    with file.open(newline="", encoding="utf-8-sig") as stream:
        row = next(csv.DictReader(stream))
    return {name: row[name] if isinstance(column, Category) else _number(row[name]) for name, column in model.data.columns.items()}


def _number(cell: str) -> float:
    number = float(cell)
    return int(number) if number.is_integer() else number
