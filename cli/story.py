"""`road demo --story`: what comes after the first deployment. The world moves, the monitor finds it, and the road is taken again.

1. traffic of rows that nobody trained on: nothing has moved      2. the world moves, and newer data is stored
3. the monitor finds drift, its alarm rings, the road begins      4. challenger against champion, and a person's approval
5. the canary, under traffic                                      6. the new version knows the world: nothing has moved
"""

from __future__ import annotations

import itertools
import json as encoder
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cli import data, datafile, executions, journey, labels, monitor, pictures, rows, shift, target, traffic
from cli.candidate import Candidate
from cli.datafile import DataFile
from cli.monitor import Look
from cli.problem import Problem
from cli.progress import Progress
from cli.rows import Row
from cli.tree import relative
from config import CONFIG, Environment
from model_code.spec import ModelSpec

SHIFTS = ("month=oct:0.25", "age=+8")  # a campaign of its own begins, for older customers
SHARES = {"first": 0.3, "calm": 0.06, "fresh": 0.25, "moved": 0.08}  # the rest is asked while versions change places
SYNTHETIC_ROWS = 40_000
SEED = 7
RATE, BATCH = 20, 12  # requests a second, rows in each
FAST = 2 * RATE  # where only the monitor is to see it
PART = RATE * BATCH  # rows of a second
PATIENCE = 120  # seconds until an alarm must have started the road


@dataclass(frozen=True, kw_only=True)
class World:
    """One data set, parted: what is trained on first, what is asked then, and the same once the world has moved."""

    first: DataFile
    calm: Sequence[Row]
    fresh: DataFile
    moved: Sequence[Row]
    later: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened. `looks` are the monitor's, before, when and after the world moved."""

    looks: dict[str, Look]
    cause: str
    proof: Candidate
    lost: int
    asked: int
    pictures: list[Path]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        looks = {name: look.as_dict() for name, look in self.looks.items()}
        told = {"cause": self.cause, "model_package_arn": self.proof.model_package_arn, "lost_requests": self.lost, "requests": self.asked}
        return {**told, "looks": looks, "pictures": [str(picture) for picture in self.pictures]}

    def lines(self) -> dict[str, str]:
        """For a person."""
        assert self.proof.evidence is not None
        champion = self.proof.evidence.evaluation.champion
        better = champion.difference if champion else None
        moved = [one["sentence"] for one in self.looks["drift"].found["moved"]]
        return {
            "the world moved": ", ".join(SHIFTS),
            **{f"found {number}": sentence for number, sentence in enumerate(moved, start=1)},
            "the road began": self.cause,
            "challenger": f"ROC AUC {better.value:+.4f}, from {better.low:+.4f} to {better.high:+.4f}" if better else "not compared",
            "canary": f"{self.lost} of {self.asked} requests were not answered",
            "afterwards": f"{len(self.looks['after'].found['moved'])} columns moved",
            "pictures": "\n".join(relative(picture) for picture in self.pictures),
        }


def world(file: Path, model: ModelSpec, folder: Path) -> World:
    """Part a data set at random, and let the world of its later parts move."""
    known = rows.read(file)
    random.Random(SEED).shuffle(known)  # noqa: S311 - repeatable, not secret
    parts: dict[str, list[Row]] = {}
    begin = 0
    for name, share in SHARES.items():
        parts[name] = known[begin : begin + round(share * len(known))]
        begin += len(parts[name])
    parts["later"] = known[begin:]
    wanted = [shift.parse(text, model) for text in SHIFTS]
    for number, name in enumerate(("fresh", "moved", "later")):
        parts[name] = shift.apply(wanted, parts[name], seed=number)
    stored = {name: datafile.check(rows.write(folder / f"{name}.csv", parts[name]), model) for name in ("first", "fresh")}
    return World(first=stored["first"], fresh=stored["fresh"], calm=parts["calm"], moved=parts["moved"], later=parts["later"])


def tell(aws: target.Target, progress: Progress, model: ModelSpec, given: World, *, yes: bool, folder: Path) -> Story:
    """Everything after the first deployment.

    Raises:
        Problem: the monitor saw drift where there was none or none where there was, nothing started the road, or a stage failed.
    """
    place = CONFIG.environments[-1]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _send(aws, progress, model, place, given.calm, folder, "rows that nobody trained on")
    calm = _look(aws, progress, model, place, drifted=False)
    with progress.step("the world moves: newer data") as step:
        data.store(aws, model.name, given.fresh)
        step.note = f"{given.fresh.rows} rows; {', '.join(SHIFTS)}"
    before = {summary["pipelineExecutionId"] for summary in executions.summaries(aws.client("codepipeline"), CONFIG.name(model.name))}
    _send(aws, progress, model, place, given.moved, folder, "rows of the world as it is now")
    drift = _look(aws, progress, model, place, drifted=True)
    with progress.step("the alarm starts the road") as step:
        execution_id, cause = _begun(aws, model, before)
        step.note = cause
    proof = journey.decide(aws, progress, model, journey.follow(aws, progress, model, execution_id), yes=yes)
    with _asking(aws, model, place, given.later) as asked:
        journey.follow(aws, progress, model, execution_id)
    after = _look(aws, progress, model, place, drifted=False)
    looks = {"calm": calm, "drift": drift, "after": after}
    drawn = pictures.draw(folder, looks, proof, _answered(aws, model, place), model)
    lost = sum(len(sent.load.failures) for sent in asked)
    return Story(looks=looks, cause=cause, proof=proof, lost=lost, asked=sum(len(sent.load.calls) for sent in asked), pictures=drawn)


def _send(
    aws: target.Target, progress: Progress, model: ModelSpec, place: Environment, known: Sequence[Row], folder: Path, name: str
) -> None:
    """Send rows, and store what became of them."""
    with progress.step(name) as step:
        going = traffic.Traffic(model=model, rows=known, batch=BATCH)
        sent = traffic.send(aws, place, going, rate=FAST)
        if sent.load.failures:
            raise Problem(f"endpoint {sent.endpoint}", f"it failed: {sent.load.failures[0]}", f"./road logs {model.name}")
        labels.store(aws, model, place, labels.check(going.labels(folder / "labels.csv"), model))
        step.note = f"{sent.rows} rows, and what became of them"


def _look(aws: target.Target, progress: Progress, model: ModelSpec, place: Environment, *, drifted: bool) -> Look:
    """Run the monitor. Raises Problem when it does not find what is there."""
    with progress.step("the monitor") as step:
        look = monitor.run(aws, model, place, step)
        if look.found["drifted"] is not drifted or look.found["skipped"]:
            raise Problem("the monitor", f"expected {'drift' if drifted else 'none'}, found {step.note}", f"read {look.page}")
    return look


def _begun(aws: target.Target, model: ModelSpec, before: set[str]) -> tuple[str, str]:
    """The execution that the drift alarm has started, and its cause. Raises Problem when none has begun in time."""
    codepipeline, pipeline = aws.client("codepipeline"), CONFIG.name(model.name)
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        for summary in executions.summaries(codepipeline, pipeline):
            if summary["pipelineExecutionId"] not in before:
                return _caused(codepipeline, pipeline, summary["pipelineExecutionId"])
        time.sleep(aws.pace)
    raise Problem("the drift alarm", f"it has started nothing in {PATIENCE} s", f"./road status {model.name} shows what was held back")


def _caused(codepipeline: Any, pipeline: str, execution_id: str) -> tuple[str, str]:
    found = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)["pipelineExecution"]
    return execution_id, next(variable["resolvedValue"] for variable in found["variables"] if variable["name"] == "cause")


@contextmanager
def _asking(aws: target.Target, model: ModelSpec, place: Environment, known: Sequence[Row]) -> Iterator[list[traffic.Sent]]:
    """Ask without a pause while versions change places, and the last one often enough for the monitor to say something."""
    ended = threading.Event()
    parts = itertools.cycle([known[begin : begin + PART] for begin in range(0, len(known), PART)])
    assert model.monitoring is not None
    least = -(-2 * model.monitoring.minimum_rows // PART)

    def send() -> traffic.Sent:
        return traffic.send(aws, place, traffic.Traffic(model=model, rows=next(parts), batch=BATCH), rate=RATE)

    def ask() -> list[traffic.Sent]:
        sent = []
        while not ended.is_set():
            sent.append(send())
        return sent + [send() for _ in range(least)]

    asked: list[traffic.Sent] = []
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield asked
        finally:
            ended.set()
            asked += asking.result()


def _answered(aws: target.Target, model: ModelSpec, place: Environment) -> dict[str, Counter[datetime]]:
    """Rows that each version was asked, second by second, as they were captured."""
    s3, bucket = aws.client("s3", place.account), labels.capture_bucket(aws, model.name, place)
    answered: dict[str, Counter[datetime]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="capture/"):
        for entry in page.get("Contents", []):
            seconds = answered.setdefault(entry["Key"].split("/")[1], Counter())
            for line in s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].iter_lines():
                captured = encoder.loads(line)
                answer = encoder.loads(captured["captureData"]["endpointOutput"]["data"])
                seconds[datetime.fromisoformat(captured["eventMetadata"]["inferenceTime"])] += len(answer.get("predictions", ()))
    return answered
