"""The monitor: what an endpoint was asked, and what it answered, held against what evaluation saw.

It streams what data capture has written, a few megabytes at a time, and keeps counts only: memory depends on the contract and on the number
of labels, never on the traffic. `count` is the same on one of several machines, whose counts `monitor` then adds up.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import msgspec

from model_code.runtime import artifact, plugin
from model_code.runtime.invocations import version
from model_code.runtime.job import Job
from model_code.runtime.monitoring import page, told
from model_code.runtime.monitoring.baseline import Baseline
from model_code.runtime.monitoring.captured import Answered, Line, Reader, Window, lines
from model_code.runtime.monitoring.counts import Counts
from model_code.runtime.monitoring.judgement import Measured, judge
from model_code.runtime.monitoring.labels import Joined, Labels
from model_code.runtime.monitoring.store import Object, Shard, Store, place
from model_code.spec import Monitoring

ARCHIVE, COUNTS, REPORT = "processing/input/model/model.tar.gz", "processing/counts", "monitor.json"
GIVEN = "processing/input/counts"
NEEDED = ("MODEL_VERSION", "ENDPOINT_NAME", "VARIANT", "CAPTURE_URI", "LABELS_URI", "REPORT_URI", "METRICS_NAMESPACE")


@dataclass(frozen=True, kw_only=True)
class Services:
    """Clients of S3, CloudWatch and SNS, and the region they are in."""

    s3: Any
    cloudwatch: Any
    sns: Any
    region: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Services:
        """Raises ValueError where no region is given: a processing job's container is told it, or it is not there."""
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise ValueError("neither AWS_REGION nor AWS_DEFAULT_REGION is set: give the step's Environment AWS_DEFAULT_REGION")
        clients = {name: boto3.client(name, region_name=region) for name in ("s3", "cloudwatch", "sns")}
        return cls(**clients, region=region)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run: which version of which endpoint, where its traffic lies, until when it is looked at, and what is known about it."""

    model: str
    version: str
    endpoint: str
    variant: str
    capture_uri: str
    labels_uri: str
    report_uri: str
    namespace: str
    topic_arn: str
    end: datetime
    rule: Monitoring
    baseline: Baseline
    measured: Measured

    @classmethod
    def of(cls, job: Job) -> Task:
        """The task of a job's environment and of the model that it was given.

        Raises:
            ValueError: `model.toml` has no [monitoring], a variable is not set, or WINDOW_END is no time.
            ArtifactError: the model's files are not complete, or of another version.
        """
        given, rule = job.environ, job.spec.monitoring
        if rule is None:
            raise ValueError(f"{job.spec.name}/model.toml has no [monitoring]: without it nothing says what has moved")
        if lacking := [name for name in NEEDED if not given.get(name)]:
            raise ValueError(f"the environment variable {lacking[0]} is not set: the monitoring pipeline gives it to its step")
        baseline, measured = _known(job, given["MODEL_VERSION"])
        return cls(
            model=job.spec.name,
            version=given["MODEL_VERSION"],
            endpoint=given["ENDPOINT_NAME"],
            variant=given["VARIANT"],
            capture_uri=given["CAPTURE_URI"],
            labels_uri=given["LABELS_URI"],
            report_uri=given["REPORT_URI"].rstrip("/"),
            namespace=given["METRICS_NAMESPACE"],
            topic_arn=given.get("TOPIC_ARN", ""),
            end=_moment(given.get("WINDOW_END") or "now"),
            rule=rule,
            baseline=baseline,
            measured=measured,
        )

    @property
    def window(self) -> Window:
        """What is looked at."""
        return Window(self.end - timedelta(hours=self.rule.window_hours), self.end)

    @property
    def labelled(self) -> Window:
        """When rows were scored whose labels may have come by now."""
        return Window(self.end - timedelta(days=self.rule.label_days), self.end)


def monitor(job: Job, services: Services | None = None) -> None:
    """Write monitor.json and monitor.html, put metrics, and tell what moved. Drift is a result, not a failure.

    Raises:
        ValueError: as `Task.of` and `Services.of` say.
        ArtifactError: as `Task.of` says.
    """
    services, task = services or Services.of(job.environ), Task.of(job)
    given = job.root / GIVEN
    counts = _merged(given) if given.is_dir() else counted(job, services, task, Shard())
    identity = {"model": task.model, "model_version": task.version, "endpoint": task.endpoint, "variant": task.variant}
    found = identity | judge(counts, task.baseline, task.measured, task.rule)
    artifact.write_json(job.report / REPORT, found)
    (job.report / told.PAGE).write_text(page.render(found, job.spec.purpose), encoding="utf-8")
    told.put(services.cloudwatch, task.namespace, found)
    if found["moved"] and task.topic_arn:
        services.sns.publish(TopicArn=task.topic_arn, **told.message(found, task.report_uri, services.region))
    print(told.summary(found), flush=True)


def count(job: Job, services: Services | None = None) -> None:
    """Write this machine's counts. Raises what `monitor` raises."""
    services, task = services or Services.of(job.environ), Task.of(job)
    host, shard = _host(job.root / "config/resourceconfig.json")
    counts = counted(job, services, task, shard)
    artifact.write_json(job.root / COUNTS / f"{host}.json", {"machines": shard.of, **counts.as_json()})
    print(f"{host}, {shard.place + 1} of {shard.of}: {counts.tally['rows']} rows in {counts.tally['requests']} requests", flush=True)


def counted(job: Job, services: Services, task: Task, shard: Shard) -> Counts:
    """Everything that this machine's part of the objects holds about the window, and about rows that have a label by now."""
    bucket, prefix = place(task.capture_uri)
    capture, root = Store(services.s3, bucket), f"{prefix}/{task.version}/{task.endpoint}/{task.variant}"
    counts, window = Counts.none(task.window, task.baseline), task.window
    reader, decoder = Reader(job.spec.data), msgspec.json.Decoder(Line)
    for block in capture.blocks(_filed(capture, root, window, shard)):
        found, malformed = lines(block, decoder)
        counts.tally["malformed"] += malformed
        captured = [line for line in found if window.holds(line.eventMetadata.inferenceTime)]
        asked = [line.captureData for line in captured if not line.eventMetadata.own]
        counts.tally["own"] += len(captured) - len(asked)
        for reading in reader.read(asked):
            counts.add(reading, task.baseline)
    labels = _labels(services, task, job.spec.data.positive)
    counts.joined = Joined(len(labels.positive), labels.malformed)
    if labels.positive:
        labels.join(_answered(capture, _filed(capture, root, task.labelled, shard), task.labelled), counts.joined)
    return counts


def _merged(folder: Path) -> Counts:
    """What all machines have counted. Raises ArtifactError where a machine's part is missing."""
    shards = [artifact.read_json(file) for file in sorted(folder.glob("*.json"))]
    if not shards or len(shards) != shards[0]["machines"]:
        raise artifact.ArtifactError(f"{GIVEN} has the counts of {len(shards)} machines: see why the step Count wrote no more")
    counts = Counts.of(shards[0])
    for shard in shards[1:]:
        counts.merge(Counts.of(shard))
    return counts


def _filed(capture: Store, root: str, window: Window, shard: Shard) -> Iterator[Object]:
    """The objects under the hours of a window that fall to this machine."""
    for hour in window.hours:
        yield from (one for one in capture.objects(f"{root}/{hour:%Y/%m/%d/%H}/") if shard.has(one.key))


def _answered(capture: Store, objects: Iterator[Object], window: Window) -> Iterator[Answered]:
    """What was answered in a window."""
    decoder = msgspec.json.Decoder(Answered)
    for block in capture.blocks(objects):
        yield from (line for line in lines(block, decoder)[0] if window.holds(line.eventMetadata.inferenceTime))


def _labels(services: Services, task: Task, positive: str) -> Labels:
    """Every label that may be of a row scored in time: it cannot have been written before the row was scored."""
    bucket, prefix = place(task.labels_uri)
    store = Store(services.s3, bucket)
    files = sorted(one for one in store.objects(f"{prefix}/") if one.written >= task.labelled.start)
    return Labels.read((_text(store, file) for file in files), positive)


def _text(store: Store, file: Object) -> Iterator[str]:
    for block in store.blocks(iter([file])):
        yield from block.decode("utf-8-sig", "replace").splitlines()


def _known(job: Job, wanted: str) -> tuple[Baseline, Measured]:
    """What evaluation wrote into the model about its rows and its worth."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(job.root / ARCHIVE, model)
        artifact.check(model, job.spec, plugin.features(job.spec.name).NAMES)
        if (found := version(model)) != wanted:
            raise artifact.ArtifactError(f"the model is version {found}, not {wanted}, which the endpoint serves: give the step that one's")
        metrics = artifact.read_json(model / artifact.EVALUATION)["metrics"]
        measured = Measured(*(metrics[name]["value"] for name in ("roc_auc", "calibration_error")))
        return Baseline.of(artifact.read_json(model / artifact.BASELINE), job.spec.data), measured


def _moment(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
    except ValueError as error:
        raise ValueError(f"WINDOW_END: expected 'now' or a time like 2026-11-21T10:00:00Z, found {text!r}") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _host(file: Path) -> tuple[str, Shard]:
    """This machine's name, and its part. SageMaker tells a job's machines of each other."""
    told_of = json.loads(file.read_text(encoding="utf-8"))
    host, hosts = told_of["current_host"], sorted(told_of["hosts"])
    return host, Shard(hosts.index(host), len(hosts))
