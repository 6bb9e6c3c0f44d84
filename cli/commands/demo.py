"""`road demo`: the whole road, from nothing to a scored row in production, on this laptop.

1. a localcloud of its own    2. bootstrap, deploy    3. data    4. push    5. the pipeline's stages
6. a person's approval        7. production           8. what came of it
"""

from __future__ import annotations

import json as encoder
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

import naming
from cli import candidate, datasets, executions, journey, local, output, packs, provisioning, rows, sample, story, synthetic, target, world
from cli.candidate import Candidate
from cli.datasets import DataFile
from cli.endpoint import JSON, ask, named
from cli.journey import Journey
from cli.local import LocalCloud
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress
from cli.repository import Clone
from cli.story import Story
from cli.target import Target
from cli.tree import HERE, STORY, relative, typed_path
from config import CONFIG
from paved_runtime import spec
from pipelines.evidence import pack

ROWS = 20_000


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
        lines = {
            "endpoint": f"{self.endpoint} at {self.url}",
            "scored": f"{encoder.dumps(self.request)}\n→ {encoder.dumps(self.answer)}",
            "metrics": ", ".join(f"{name} {m['value']:.4f} (gate {m['gate']})" for name, m in self.proof.metrics.items()),
            "model package": self.proof.model_package_arn,
            "commit": self.proof.commit,
            "evidence": self.page,
            "times": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.stages.items()) + f"; all {self.seconds:.1f} s",
        }
        for name, value in lines.items():
            table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
        return table


def demo(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Which model; without it the only one, or the first in alphabetical order.")
    ] = None,
    *,
    data_file: Annotated[
        Path | None,
        typer.Option("--data", metavar="CSV", help="A data set; without it the model's synthetic.py makes one.", parser=typed_path),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking, and stop at the end.")] = False,
    with_story: Annotated[
        bool, typer.Option("--story", help="Go on after that: the world moves, drift is found, the model is trained again and takes over.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="With --story: where its pictures go; without it .road/story.", parser=typed_path),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="With --yes: leave it running until Ctrl-C or ./road down.")] = False,
    port: local.Port = 0,
    speed: local.Speed = local.DEFAULT_SPEED,
    containers: local.Containers = False,
    json: output.Json = False,
) -> None:
    """Take a model the whole road on this laptop. It begins with a push and ends with a tested, approved endpoint in production."""
    if not yes and not sys.stdin.isatty():
        raise Problem("approval", "there is no terminal to ask on", "add --yes", code=2)
    if model is None and not spec.names():
        sample.demonstrate(sys.argv[2:])
    known = target.any_model(model)
    if known.features:
        why = f"it looks columns up in {', '.join(known.features)}, and made-up rows have them themselves"
        raise Problem(f"demo of {known.name}", why, "./road up, ./road features put, ./road data put, ./road push: docs/feature-store.md")
    if with_story:
        world.must_be_tellable(known)
    started = time.monotonic()
    with TemporaryDirectory() as folder:
        count = story.SYNTHETIC_ROWS if with_story else ROWS
        file = datasets.check(data_file or synthetic.make(known.name, Path(folder) / "synthetic.csv", count), known)
        moving = world.part(file.path, known, Path(folder)) if with_story else None
        with ExitStack() as turn, _cloud(turn, port, speed, containers) as (cloud, process, progress):
            taken = Journey(aws=Target(cloud=cloud), progress=progress, model=known)
            with progress:
                provisioning.deploy(cloud, progress, fresh=True)
                turn.close()
                outcome = _road(taken, cloud, moving.first if moving else file, yes=yes, started=started)
                tale = story.tell(taken, moving, yes=yes, folder=out or STORY) if moving else None
            _show(outcome, tale, seconds=time.monotonic() - started, json=json)
            if keep or not yes:
                say(f"It runs on at {cloud.url} until Ctrl-C or ./road down.")
                with suppress(KeyboardInterrupt):
                    process.wait()


def _show(outcome: Outcome, tale: Story | None, *, seconds: float, json: bool) -> None:
    if tale is None:
        output.show(outcome.view(), outcome.as_dict(), json=json)
        return
    human = Group(outcome.view(), Text(), output.table(tale.lines()))
    output.show(human, {**outcome.as_dict(), "story": tale.as_dict(), "all_seconds": round(seconds, 1)}, json=json)


@contextmanager
def _cloud(turn: ExitStack, port: int, speed: float, containers: bool) -> Iterator[tuple[LocalCloud, subprocess.Popen[str], Progress]]:
    """A localcloud that does not outlive the block, however the block ends. Its logs stay when the block has failed.

    Until `turn` is closed, nobody else starts one or deploys to it.
    """
    turn.enter_context(local.alone())
    if running := local.find():
        raise Problem("demo", f"a localcloud runs already at {running.url}", "./road down")
    progress = Progress()
    try:
        with progress.step("start localcloud"):
            cloud, process = local.start(port=port, speed=speed, containers=containers, exit_with_parent=True)
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


def _road(taken: Journey, cloud: LocalCloud, file: DataFile, *, yes: bool, started: float) -> Outcome:
    """From the first push to an answer of production."""
    with taken.progress.step("store the data set") as step:
        datasets.store(taken.registry, file)
        step.note = f"{file.rows} rows"
    with taken.progress.step("push") as step:
        execution_id, step.note = _push(taken, cloud)
    done = journey.arrive(taken, execution_id, yes=yes)
    production = CONFIG.environments[-1]
    request = {"instances": [rows.request(rows.read(file.path, taken.model.data)[0], taken.model)]}
    endpoint = naming.endpoint(CONFIG, taken.model.name, production)
    runtime = taken.aws.session(production.account).client("sagemaker-runtime")
    return Outcome(
        endpoint=endpoint,
        url=cloud.url,
        request=request,
        answer=encoder.loads(ask(runtime, named(taken.model, production), encoder.dumps(request).encode(), JSON)),
        proof=candidate.gather(taken.registry, done),
        page=relative(packs.bring(taken.registry)[1] / pack.PAGE),
        stages={step.name: round(step.elapsed, 1) for step in taken.progress.steps},
        seconds=time.monotonic() - started,
    )


def _push(taken: Journey, cloud: LocalCloud) -> tuple[str, str]:
    """Push this tree; the model's execution that it has started, and what was pushed. Everything else it started is stopped."""
    clone = Clone(HERE)
    commit = clone.snapshot()
    clone.push(commit, remote=cloud.remote, branch=CONFIG.repository.branch)
    codepipeline = taken.aws.session().client("codepipeline")
    execution = executions.find(codepipeline, naming.delivery_pipeline(CONFIG, taken.model.name))
    for pipeline in codepipeline.list_pipelines()["pipelines"]:
        if pipeline["name"] != execution.pipeline:
            executions.stop(codepipeline, pipeline["name"], reason="the demo follows one model's road")
    return execution.id, f"{commit[:8]}{'' if commit == clone.head() else ', with changes that are not committed'}"
