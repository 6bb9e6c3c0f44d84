"""`road demo --story`: what comes after the first deployment. The world moves, the monitor finds it, and the road is taken again.

1. traffic of rows that nobody trained on: nothing has moved      2. the world moves, and newer data is stored
3. the monitor finds drift, its alarm starts the road             4. challenger against champion, and a person's approval
5. the canary, under traffic                                      6. the new version knows the world: nothing has moved
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import naming
from cli import capture, datasets, executions, journey, labels, monitoring, pictures, traffic
from cli.candidate import Candidate
from cli.journey import Journey
from cli.monitoring import Look
from cli.problem import Problem
from cli.rows import Row
from cli.traffic import Sent, Traffic
from cli.tree import relative
from cli.world import World
from config import CONFIG
from pipelines.evidence import wording

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient

SYNTHETIC_ROWS = 40_000
RATE, BATCH = 20, 12  # requests a second, rows in each
FAST = 2 * RATE  # where only the monitor is to see it
PART = RATE * BATCH  # rows of a second
PATIENCE = 120  # seconds until an alarm must have started the road
PLACE = CONFIG.environments[-1]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened. `looks` are the monitor's, before, when and after the world moved by `shifts`."""

    shifts: Sequence[str]
    looks: dict[str, Look]
    cause: str
    proof: Candidate
    lost: int
    asked: int
    pictures: list[Path]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        looks = {name: look.as_dict() for name, look in self.looks.items()}
        facts = {
            "shifts": list(self.shifts),
            "cause": self.cause,
            "model_package_arn": self.proof.model_package_arn,
            "lost_requests": self.lost,
            "requests": self.asked,
        }
        return {**facts, "looks": looks, "pictures": [str(picture) for picture in self.pictures]}

    def lines(self) -> dict[str, str]:
        """For a person."""
        assert self.proof.evidence is not None
        champion = self.proof.evidence.evaluation.champion
        better, title = champion.difference if champion else None, wording.of(self.proof.evidence.evaluation.task).title
        moved = [change["sentence"] for change in self.looks["drift"].report["moved"]]
        return {
            "the world moved": ", ".join(self.shifts),
            **{f"found {number}": sentence for number, sentence in enumerate(moved, start=1)},
            "the road began": self.cause,
            "challenger": f"{title} {better.value:+.4f}, from {better.low:+.4f} to {better.high:+.4f}" if better else "not compared",
            "canary": f"{self.lost} of {self.asked} requests were not answered",
            "afterwards": f"{len(self.looks['after'].report['moved'])} columns moved",
            "pictures": "\n".join(relative(picture) for picture in self.pictures),
        }


def tell(taken: Journey, world: World, *, yes: bool, folder: Path) -> Story:
    """Everything after the first deployment.

    Raises:
        Problem: the monitor saw drift where there was none or none where there was, nothing started the road, or a stage failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _send(taken, world.calm, folder, "rows that nobody trained on")
    looks = {"calm": _look(taken, drifted=False)}
    codepipeline, pipeline = taken.aws.session().client("codepipeline"), naming.delivery_pipeline(CONFIG, taken.model.name)
    with taken.progress.step("the world moves: newer data") as step:
        datasets.store(taken.registry, world.fresh)
        step.note = f"{world.fresh.rows} rows; {', '.join(world.shifts)}"
    before = {summary["pipelineExecutionId"] for summary in executions.summaries(codepipeline, pipeline)}
    _send(taken, world.moved, folder, "rows of the world as it is now")
    looks["drift"] = _look(taken, drifted=True)
    with taken.progress.step("the alarm starts the road") as step:
        execution_id = _begun(taken, codepipeline, pipeline, before)
        step.note = cause = _cause(codepipeline, pipeline, execution_id)
    proof = journey.decide(taken, journey.follow(taken, execution_id), yes=yes)
    with _asking(taken, world.later) as asked:
        journey.arrive(taken, execution_id, yes=yes)
    looks["after"] = _look(taken, drifted=False)
    return Story(
        shifts=world.shifts,
        looks=looks,
        cause=cause,
        proof=proof,
        lost=sum(len(sent.load.failures) for sent in asked),
        asked=sum(len(sent.load.calls) for sent in asked),
        pictures=_pictures(taken, folder, looks, proof),
    )


def _send(taken: Journey, rows: Sequence[Row], folder: Path, name: str) -> None:
    """Send rows, and store what became of them."""
    model = taken.model
    with taken.progress.step(name) as step:
        requests = Traffic(model=model, rows=rows, batch=BATCH)
        sent = traffic.send(taken.aws, PLACE, requests, rate=FAST)
        if sent.load.failures:
            raise Problem(f"endpoint {sent.endpoint}", f"it failed: {sent.load.failures[0]}", f"./road logs {model.name}")
        labels.store(taken.aws, model, PLACE, labels.check(requests.labels(folder / "labels.csv"), model))
        step.note = f"{sent.rows} rows, and what became of them"


def _look(taken: Journey, *, drifted: bool) -> Look:
    """Run the monitor. Raises Problem when it does not find what is there."""
    with taken.progress.step("the monitor") as step:
        look = monitoring.run(taken.aws, taken.model, PLACE, step)
        if look.report["drifted"] is not drifted or look.report["skipped"]:
            raise Problem("the monitor", f"expected {'drift' if drifted else 'none'}, found {step.note}", f"read {look.page}")
    return look


def _begun(taken: Journey, codepipeline: CodePipelineClient, pipeline: str, before: set[str]) -> str:
    """The execution that the drift alarm has started. Raises Problem when none has begun in time."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        for summary in executions.summaries(codepipeline, pipeline):
            if summary["pipelineExecutionId"] not in before:
                return summary["pipelineExecutionId"]
        time.sleep(taken.aws.pace)
    status = f"./road status {taken.model.name} shows what was held back"
    raise Problem("the drift alarm", f"it has started nothing in {PATIENCE} s", status)


def _cause(codepipeline: CodePipelineClient, pipeline: str, execution_id: str) -> str:
    execution = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)["pipelineExecution"]
    return next(variable["resolvedValue"] for variable in execution["variables"] if variable["name"] == "cause")


@contextmanager
def _asking(taken: Journey, rows: Sequence[Row]) -> Iterator[list[Sent]]:
    """Ask without a pause while versions change places, and the last one often enough for the monitor to say something."""
    ended = threading.Event()
    parts = itertools.cycle([rows[begin : begin + PART] for begin in range(0, len(rows), PART)])
    assert taken.model.monitoring is not None
    least = -(-2 * taken.model.monitoring.minimum_rows // PART)

    def send() -> Sent:
        return traffic.send(taken.aws, PLACE, Traffic(model=taken.model, rows=next(parts), batch=BATCH), rate=RATE)

    def ask() -> list[Sent]:
        sent = []
        while not ended.is_set():
            sent.append(send())
        return sent + [send() for _ in range(least)]

    asked: list[Sent] = []
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield asked
        finally:
            ended.set()
            asked += asking.result()


def _pictures(taken: Journey, folder: Path, looks: dict[str, Look], proof: Candidate) -> list[Path]:
    s3, bucket = taken.aws.session(PLACE.account).client("s3"), capture.bucket(taken.aws, taken.model.name, PLACE)
    return pictures.draw(folder, looks, proof, capture.answered(s3, bucket), taken.model)
