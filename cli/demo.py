"""`road demo`: the whole road, from nothing to a scored lead in production, on this laptop.

1. a localcloud of its own    2. bootstrap, deploy    3. data    4. push    5. the pipeline's stages
6. a person's approval        7. production           8. what came of it
"""

from __future__ import annotations

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
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import candidate, data, datafile, evidence, executions, journey, local, output, rows, story, target
from cli.candidate import Candidate
from cli.datafile import DataFile
from cli.invoke import JSON, ask
from cli.local import LocalCloud
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress
from cli.repository import Clone
from cli.tree import HERE, STORY, relative
from cli.up import Port, Speed, deploy
from config import CONFIG
from model_code.spec import ModelSpec
from pipelines.evidence import pack

MODEL = "lead_scoring"
ROWS, SEED = 20_000, 7


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
    with_story: Annotated[
        bool, typer.Option("--story", help="Go on after that: the world moves, drift is found, the model is trained again and takes over.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="With --story: where its pictures go; without it .road/story.")
    ] = None,
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
        file = data_file or _synthetic(Path(folder), story.SYNTHETIC_ROWS if with_story else ROWS)
        checked = datafile.check(file, model)
        world = story.world(file, model, Path(folder)) if with_story else None
        with _cloud(port, speed) as (cloud, process, progress):
            with progress:
                outcome = _road(cloud, progress, model, world.first if world else checked, yes=yes, started=started)
                told = story.tell(target.Target(cloud=cloud), progress, model, world, yes=yes, folder=out or STORY) if world else None
            seconds = {"all_seconds": round(time.monotonic() - started, 1)}
            human = Group(outcome.view(), Text(), evidence.table(told.lines())) if told else outcome.view()
            output.show(human, outcome.as_dict() | ({"story": told.as_dict(), **seconds} if told else {}), json=json)
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
    journey.decide(aws, progress, model, journey.follow(aws, progress, model, execution_id), yes=yes)
    done = journey.follow(aws, progress, model, execution_id)
    production = CONFIG.environments[-1]
    request = {"instances": [rows.request(rows.read(file.path)[0], model)]}
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


def _synthetic(folder: Path, count: int) -> Path:
    file = folder / "synthetic.csv"
    made = ["--rows", str(count), "--seed", str(SEED), "--out", str(file)]
    subprocess.run([sys.executable, "-m", f"model_code.{MODEL}.synthetic", *made], cwd=HERE, check=True)
    return file
