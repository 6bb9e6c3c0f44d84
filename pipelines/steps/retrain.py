"""The judge: decides whether a model is trained again though nobody pushed, and starts its road with the cause, or records why not.

Whatever woke it, it looks for itself: does the alarm ring, is there a data set that no version was trained on, has the clock struck? So
an event that is lost, late or there five hundred times decides nothing. What is there is answered once, with one retraining for all of
it, when nothing else is under way for such a cause, the last one began long enough ago, and the week's budget is not used up.

Under `retraining/` of the artifacts bucket, `started/<number>.json` is a retraining that began, `suppressed/<time>-<execution>.json` one
that did not. A number can be taken once, by one judge: S3 writes it only where there is nothing. The road is started after that; who is
killed in between finds the number without an execution when run again, and finishes it.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from model_code import spec
from model_code.spec import Retraining
from pipelines.evidence import document
from pipelines.steps import environment, package
from pipelines.steps.step import StepError, add_minute_seconds, code, parser, print_report, progress, run

PUSH = "push"
STARTED, SUPPRESSED = "retraining/started/", "retraining/suppressed/"
WEEK = timedelta(days=7)
JUDGED_WITHIN = timedelta(minutes=15)  # no judge lives longer: what one has begun and not finished by then, another finishes
REMEMBERED = 50  # retrainings that are looked at; more cannot begin in a week
LOOKED_BACK = timedelta(days=30)  # for executions that have not ended: an approval waits seven days
UNENDED = ("InProgress", "Stopping")
LOST = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why to train again. `which` tells this one from others of its `kind`: when the alarm began to ring, the data's digest, the tick."""

    kind: str
    which: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Started:
    """A retraining that began. `answers` has `which` by `kind`; `execution` is the road's, empty until it was started."""

    number: int
    time: str
    cause: str
    answers: Mapping[str, str]
    judge: str
    execution: str = ""

    @property
    def began(self) -> datetime:
        """When its number was taken."""
        return datetime.fromisoformat(self.time)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What `model.toml` allows, in real time: `minute_seconds` is how long a minute of it lasts."""

    limits: Retraining
    minute_seconds: float

    def lasts(self, time: timedelta) -> timedelta:
        """How long that is where time runs as it does here."""
        return time * (self.minute_seconds / 60)


def refusal(causes: Sequence[Cause], started: Sequence[Started], in_flight: str | None, pace: Pace, now: datetime) -> str | None:
    """Why nothing may be started for these causes now; None when it may. `started` is oldest first, `in_flight` an execution."""
    if not unanswered(causes, started):
        last = started[-1]
        return f"the same cause was answered before: retraining {last.number} began at {last.time}"
    if in_flight:
        return f"execution {in_flight} of the road has such a cause too, and has not ended"
    free = started[-1].began + pace.lasts(timedelta(hours=pace.limits.cooldown_hours)) if started else now
    if now < free:
        return f"cool-down: retraining {started[-1].number} began at {started[-1].time}; the next may at {_utc(free)}"
    recent = [one for one in started if one.began > now - pace.lasts(WEEK)]
    if len(recent) >= pace.limits.per_week:
        free = recent[-pace.limits.per_week].began + pace.lasts(WEEK)
        return f"budget: {len(recent)} of {pace.limits.per_week} a week have begun; the next may at {_utc(free)}"
    return None


def unanswered(causes: Sequence[Cause], started: Sequence[Started]) -> list[Cause]:
    """The causes that are not those of the last retraining of their kind."""
    last = {kind: which for one in started for kind, which in one.answers.items()}
    return [cause for cause in causes if last.get(cause.kind) != cause.which]


class Records:
    """What the judges wrote, in the artifacts bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def started(self) -> list[Started]:
        """The newest retrainings, oldest first."""
        return [Started(**self._read(key)) for key in self._keys(STARTED)[-REMEMBERED:]]

    def claim(self, new: Started) -> bool:
        """Take the number, unless another judge has it."""
        return self._add(_numbered(new), asdict(new))

    def fill(self, one: Started) -> None:
        """Say which execution it became."""
        self._s3.put_object(Bucket=self._bucket, Key=_numbered(one), Body=_bytes(asdict(one)), ContentType="application/json")

    def suppressed(self, judge: str, *, since: datetime) -> dict[str, Any] | None:
        """What this judge held back; None when it held back nothing."""
        keys = self._keys(SUPPRESSED, after=SUPPRESSED + _stamp(since))
        found = [key for key in keys if key.endswith(f"-{judge}.json")]
        return self._read(found[0]) if found else None

    def held_back(self, *, since: datetime) -> list[dict[str, Any]]:
        """What any judge held back since then, oldest first."""
        return [self._read(key) for key in self._keys(SUPPRESSED, after=SUPPRESSED + _stamp(since))]

    def suppress(self, time: datetime, judge: str, content: Mapping[str, Any]) -> None:
        """Keep why nothing was started."""
        self._add(f"{SUPPRESSED}{_stamp(time)}-{judge}.json", {"time": _utc(time), "judge": judge, **content})

    def _keys(self, prefix: str, after: str = "") -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, StartAfter=after)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def _read(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        return found

    def _add(self, key: str, content: Mapping[str, Any]) -> bool:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=_bytes(content), ContentType="application/json", IfNoneMatch="*")
        except ClientError as error:
            if code(error) not in LOST:
                raise
            return False
        return True


class Roads:
    """The model's road, `pipeline`, and the pipeline in which judges run, `judged`."""

    def __init__(self, codepipeline: Any, *, pipeline: str, judged: str) -> None:
        self._codepipeline, self._pipeline, self._judged = codepipeline, pipeline, judged

    def start(self, one: Started) -> str:
        """The road's execution for a retraining. CodePipeline gives the same one for the same token."""
        started = self._codepipeline.start_pipeline_execution(
            name=self._pipeline,
            variables=[{"name": "cause", "value": one.cause}],
            clientRequestToken=f"{self._pipeline}-retraining-{one.number}"[-128:],
        )
        return str(started["pipelineExecutionId"])

    def known(self, one: Started) -> str | None:
        """The execution that a judge started and did not live to write down."""
        since = one.began - timedelta(minutes=5)  # two clocks
        known = (found["pipelineExecutionId"] for found in self._since(self._pipeline, since))
        return next((execution for execution in known if self._cause(execution) == one.cause), None)

    def in_flight(self, now: datetime) -> str | None:
        """An execution that nobody pushed and that has not ended, the newest one."""
        unended = (one["pipelineExecutionId"] for one in self._since(self._pipeline, now - LOOKED_BACK) if one["status"] in UNENDED)
        return next((execution for execution in unended if self._cause(execution) != PUSH), None)

    def tick(self, rule: str, *, since: datetime) -> str | None:
        """The newest execution of a judge that an EventBridge rule started after then."""
        for one in self._since(self._judged, since):
            if one.get("trigger", {}).get("triggerDetail", "").endswith(f"/{rule}"):
                return str(one["pipelineExecutionId"])
        return None

    def _since(self, pipeline: str, since: datetime) -> Iterator[dict[str, Any]]:
        for page in self._codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline):
            for one in page["pipelineExecutionSummaries"]:  # newest first
                if one["startTime"] < since:
                    return
                yield one

    def _cause(self, execution: str) -> str:
        found = self._codepipeline.get_pipeline_execution(pipelineName=self._pipeline, pipelineExecutionId=execution)
        variables = {one["name"]: one["resolvedValue"] for one in found["pipelineExecution"].get("variables", [])}
        return str(variables.get("cause", PUSH))


@dataclass(frozen=True, kw_only=True)
class Judge:
    """One decision: `name` is the judge's own execution, by which a second run of it is known."""

    name: str
    records: Records
    roads: Roads
    pace: Pace

    def again(self) -> dict[str, Any] | None:
        """What this judge decided before it was killed, finished; None when it had decided nothing. Finishes what a dead one left, too."""
        mine = None
        for one in self.records.started():
            done = one
            if not one.execution and (one.judge == self.name or one.began < datetime.now(UTC) - JUDGED_WITHIN):
                done = self._finish(replace(one, execution=self.roads.known(one) or self.roads.start(one)))
            if one.judge == self.name:
                mine = _told(done)
        if mine:
            return mine
        held = self.records.suppressed(self.name, since=datetime.now(UTC) - WEEK)
        return {"outcome": "suppressed", **held} if held else None

    def decide(self, causes: Sequence[Cause]) -> dict[str, Any]:
        """Start a retraining for these causes, or record why not."""
        if not causes:
            return {"outcome": "nothing", "reason": "no alarm rings, no data set is new, and the clock has not struck"}
        cause, answers = "; ".join(one.text for one in causes), {one.kind: one.which for one in causes}
        while True:
            now, started = datetime.now(UTC), self.records.started()
            if reason := refusal(causes, started, self.roads.in_flight(now), self.pace, now):
                held = {"cause": cause, "answers": answers, "reason": reason}
                self.records.suppress(now, self.name, held)
                return {"outcome": "suppressed", "time": _utc(now), "judge": self.name, **held}
            number = started[-1].number + 1 if started else 1
            new = Started(number=number, time=_utc(now), cause=cause, answers=answers, judge=self.name)
            if self.records.claim(new):
                return _told(self._finish(replace(new, execution=self.roads.start(new))))

    def _finish(self, one: Started) -> Started:
        self.records.fill(one)
        return one


def drift(cloudwatch: Any, alarm: str) -> Cause | None:
    """The alarm, when it rings."""
    found = cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    if not found or found[0]["StateValue"] != "ALARM":
        return None
    since = _utc(found[0].get("StateTransitionedTimestamp") or found[0]["StateUpdatedTimestamp"])
    return Cause(kind="drift", which=since, text=f"drift: alarm {alarm} rings since {since}")


def data(sagemaker: Any, group: str, sha256: str) -> Cause | None:
    """The data set, when the newest version was trained on another."""
    newest = sagemaker.list_model_packages(ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1)
    for one in newest["ModelPackageSummaryList"]:
        if package.read(sagemaker, one["ModelPackageArn"]).metadata.get("data_sha256") == sha256:
            return None
    return Cause(kind="data", which=sha256, text=f"data: {sha256}") if sha256 else None


def schedule(roads: Roads, rule: str, started: Sequence[Started], now: datetime) -> Cause | None:
    """The clock, when it has struck since the last retraining began."""
    tick = roads.tick(rule, since=started[-1].began if started else now - LOOKED_BACK)
    return Cause(kind="schedule", which=tick, text="schedule") if tick else None


def main() -> None:
    """Print what was decided, as JSON."""
    given = _given()
    try:
        monitoring = spec.load(given.model).monitoring
    except spec.SpecError as error:
        raise StepError(str(error)) from error
    limits = monitoring.retraining if monitoring else None
    if limits is None:
        print_report({"outcome": "nothing", "reason": f"model_code/{given.model}/model.toml asks for no retraining"})
        return
    roads = Roads(boto3.client("codepipeline"), pipeline=given.pipeline, judged=given.judged)
    records = Records(boto3.client("s3"), given.artifacts.removeprefix("s3://"))
    judge = Judge(name=given.execution, records=records, roads=roads, pace=Pace(limits=limits, minute_seconds=given.minute_seconds))
    report = judge.again() or judge.decide(_causes(given, limits, roads, records))
    progress(": ".join(str(report[part]) for part in ("outcome", "cause", "execution", "reason") if part in report))
    print_report(report)


def _causes(given: Namespace, limits: Retraining, roads: Roads, records: Records) -> list[Cause]:
    found = {
        "drift": lambda: drift(environment.verifier(given).client("cloudwatch"), given.alarm),
        "data": lambda: data(boto3.client("sagemaker"), given.pipeline, given.data_sha256),
        "schedule": lambda: schedule(roads, given.scheduled_by, records.started(), datetime.now(UTC)),
    }
    return [cause for kind in limits.on if (cause := found[kind]())]


def _given() -> Namespace:
    arguments = parser(__doc__)
    arguments.add_argument("--model", required=True, help="whose model.toml says what starts a retraining, and how often it may")
    arguments.add_argument("--pipeline", required=True, help="the model's road; its model package group has the same name")
    arguments.add_argument("--judged", required=True, help="the pipeline in which judges run")
    arguments.add_argument("--execution", required=True, help="this judge's execution in it")
    arguments.add_argument("--scheduled-by", required=True, help="the EventBridge rule that stands for the cause 'schedule'")
    arguments.add_argument("--alarm", required=True, help="the alarm that stands for the cause 'drift'")
    arguments.add_argument("--data-sha256", default="", help="the data set that would be trained on; empty where there is none")
    arguments.add_argument("--artifacts", required=True, help="s3://bucket")
    environment.add_arguments(arguments)
    add_minute_seconds(arguments)
    return arguments.parse_args()


def _told(one: Started) -> dict[str, Any]:
    return {"outcome": "started", **asdict(one)}


def _numbered(one: Started) -> str:
    return f"{STARTED}{one.number:06d}.json"


def _utc(time: datetime) -> str:
    return document.utc(time)


def _stamp(time: datetime) -> str:
    """A time that sorts, as part of a key."""
    return _utc(time).replace("-", "").replace(":", "")


def _bytes(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()


if __name__ == "__main__":
    run(main, "retrain")
