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

import msgspec

from paved_runtime import artifact, plugin
from paved_runtime.invocations import sha256
from paved_runtime.job import Job
from paved_runtime.monitoring import coverage, metrics, notification, page
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.judgement import judge
from paved_runtime.monitoring.labels import Joined, Labels
from paved_runtime.monitoring.quality import EvaluationMetrics
from paved_runtime.monitoring.request_log import AnswerEntry, Entry, Reader, lines
from paved_runtime.monitoring.services import Services
from paved_runtime.monitoring.store import Object, Shard, Store, place
from paved_runtime.monitoring.window import Window
from paved_runtime.protocol import model_version
from paved_runtime.spec import Lookup, Monitoring

ARCHIVE, COUNTS, REPORT = "processing/input/model/model.tar.gz", "processing/counts", "monitor.json"
SHARDS = "processing/input/counts"
NEEDED = ("MODEL_VERSION", "ENDPOINT_NAME", "VARIANT", "CAPTURE_URI", "LABELS_URI", "REPORT_URI", "METRICS_NAMESPACE")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: which version of which endpoint, where its traffic lies, until when it is looked at, and what evaluation saw."""

    model: str
    version: str
    endpoint: str
    variant: str
    capture_uri: str
    labels_uri: str
    report_uri: str
    namespace: str
    topic_arn: str
    console: str
    end: datetime
    rule: Monitoring
    lookups: Mapping[str, Lookup]
    baseline: Baseline
    evaluation: EvaluationMetrics

    @classmethod
    def of(cls, job: Job) -> Run:
        """The run of a job's environment and of the model that it has as its input.

        Raises:
            ValueError: `model.toml` has no [monitoring], a variable is not set, or WINDOW_END is no time.
            ArtifactError: the model's files are not complete, or of another version.
        """
        environ, rule = job.environ, job.spec.monitoring
        if rule is None:
            raise ValueError(f"{job.spec.name}/model.toml has no [monitoring]: without it nothing says what has moved")
        if lacking := [name for name in NEEDED if not environ.get(name)]:
            raise ValueError(f"the environment variable {lacking[0]} is not set: the monitoring pipeline gives it to its step")
        baseline, evaluation = _evaluated(job, environ["MODEL_VERSION"])
        return cls(
            model=job.spec.name,
            version=environ["MODEL_VERSION"],
            endpoint=environ["ENDPOINT_NAME"],
            variant=environ["VARIANT"],
            capture_uri=environ["CAPTURE_URI"],
            labels_uri=environ["LABELS_URI"],
            report_uri=environ["REPORT_URI"].rstrip("/"),
            namespace=environ["METRICS_NAMESPACE"],
            topic_arn=environ.get("TOPIC_ARN", ""),
            console=environ.get("CONSOLE_URL", ""),
            end=_moment(environ.get("WINDOW_END") or "now"),
            rule=rule,
            lookups=job.spec.features,
            baseline=baseline,
            evaluation=evaluation,
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
    """Write monitor.json and monitor.html, put metrics, and notify of what moved. Drift is a result, not a failure.

    Raises:
        ValueError: as `Run.of` and `Services.of` say.
        ArtifactError: as `Run.of` says.
    """
    services, run = services or Services.of(job.environ), Run.of(job)
    shards = job.root / SHARDS
    counts = _merged(shards) if shards.is_dir() else counted(services, run, Shard())
    identity = {"model": run.model, "model_version": run.version, "endpoint": run.endpoint, "variant": run.variant}
    judgement = judge(counts, run.baseline, run.evaluation, run.rule, run.lookups)
    report = identity | judgement | {"capture": _coverage(services, run, counts)}
    artifact.write_json(job.report / REPORT, report)
    (job.report / notification.PAGE).write_text(page.render(report, job.spec.purpose), encoding="utf-8")
    metrics.put(services.cloudwatch, run.namespace, report)
    if report["moved"] and run.topic_arn:
        notification.publish(services.sns, run.topic_arn, report, run.report_uri, run.console)
    print(notification.summary(report), flush=True)


def count(job: Job, services: Services | None = None) -> None:
    """Write this machine's counts. Raises what `monitor` raises."""
    services, run = services or Services.of(job.environ), Run.of(job)
    host, shard = _host(job.root / "config/resourceconfig.json")
    counts = counted(services, run, shard)
    artifact.write_json(job.root / COUNTS / f"{host}.json", {"machines": shard.of, **counts.as_json()})
    print(f"{host}, {shard.place + 1} of {shard.of}: {counts.totals['rows']} rows in {counts.totals['requests']} requests", flush=True)


def counted(services: Services, run: Run, shard: Shard) -> Counts:
    """Everything that this machine's part of the objects holds about the window, and about rows that have a label by now."""
    bucket, prefix = place(run.capture_uri)
    capture, root = Store(services.s3, bucket), f"{prefix}/{run.version}/{run.endpoint}/{run.variant}"
    counts, window = Counts.none(run.window, run.baseline), run.window
    reader, decoder = Reader(run.baseline.task, run.lookups), msgspec.json.Decoder(Entry)
    for file, blocks in capture.contents(_filed(capture, root, window, shard)):
        readable, batch = False, file.of_batch
        for block in blocks:
            entries, malformed = lines(block, decoder)
            readable = readable or bool(entries)
            counts.totals["malformed"] += malformed
            inside = [entry for entry in entries if window.holds(entry.eventMetadata.inferenceTime)]
            exchanges = [entry.captureData for entry in inside if not entry.eventMetadata.own]
            counts.totals["own"] += len(inside) - len(exchanges)
            for reading in reader.read(exchanges):
                counts.add(reading, run.baseline, batch=batch)
        counts.totals.update(objects=1, unreadable_objects=int(not readable))
    labels = _labels(services, run)
    counts.joined = Joined(len(labels.known), labels.malformed)
    if labels.known:
        labels.join(_answers(capture, _filed(capture, root, run.labelled, shard), run.labelled), reader.answers, counts.joined)
    return counts


def _coverage(services: Services, run: Run, counts: Counts) -> dict[str, Any]:
    """Whether what the endpoint was asked got this far. Where it did not, what lies beside it says why."""
    endpoint = coverage.served(services, run.endpoint, run.variant, counts.window)
    others: dict[str, int] = {}
    if coverage.few(counts.totals, endpoint):
        bucket, prefix = place(run.capture_uri)
        ours = f"{run.version}/{run.variant}"
        others = coverage.elsewhere(Store(services.s3, bucket), prefix, run.endpoint, counts.window, besides=ours)
    return coverage.judge(counts.totals, endpoint, others, run.rule.unread)


def _merged(folder: Path) -> Counts:
    """What all machines have counted. Raises ArtifactError where a machine's part is missing."""
    shards = [artifact.read_json(file) for file in sorted(folder.glob("*.json"))]
    if not shards or len(shards) != shards[0]["machines"]:
        raise artifact.ArtifactError(f"{SHARDS} has the counts of {len(shards)} machines: see why the step Count wrote no more")
    counts = Counts.of(shards[0])
    for shard in shards[1:]:
        counts.merge(Counts.of(shard))
    return counts


def _filed(capture: Store, root: str, window: Window, shard: Shard) -> Iterator[Object]:
    """The objects under the hours of a window that fall to this machine."""
    for hour in window.hours:
        yield from (file for file in capture.objects(f"{root}/{hour:%Y/%m/%d/%H}/") if shard.has(file.key))


def _answers(capture: Store, objects: Iterator[Object], window: Window) -> Iterator[AnswerEntry]:
    """What was answered in a window."""
    decoder = msgspec.json.Decoder(AnswerEntry)
    for block in capture.blocks(objects):
        yield from (entry for entry in lines(block, decoder)[0] if window.holds(entry.eventMetadata.inferenceTime))


def _labels(services: Services, run: Run) -> Labels:
    """Every label that may be of a row scored in time: it cannot have been written before the row was scored."""
    bucket, prefix = place(run.labels_uri)
    store = Store(services.s3, bucket)
    files = sorted(file for file in store.objects(f"{prefix}/") if file.written >= run.labelled.start)
    return Labels.read((_text(store, file) for file in files), run.baseline.task.rule)


def _text(store: Store, file: Object) -> Iterator[str]:
    for block in store.blocks(iter([file])):
        yield from block.decode("utf-8-sig", "replace").splitlines()


def _evaluated(job: Job, wanted: str) -> tuple[Baseline, EvaluationMetrics]:
    """What evaluation wrote into the model about its rows and its worth."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(job.root / ARCHIVE, model, job.spec)
        artifact.check(model, job.spec, plugin.features(job.spec.name).NAMES)
        if (packed := model_version(sha256(model))) != wanted:
            raise artifact.ArtifactError(
                f"the model is version {packed}, not {wanted}, which the endpoint serves: give the step that one's"
            )
        baseline = Baseline.of(artifact.read_json(model / artifact.BASELINE), job.spec.data)
        values = artifact.read_json(model / artifact.EVALUATION)["metrics"]
        return baseline, EvaluationMetrics(*(values[name]["value"] for name in (baseline.task.headline, "calibration_error")))


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
    resources = json.loads(file.read_text(encoding="utf-8"))
    host, hosts = resources["current_host"], sorted(resources["hosts"])
    return host, Shard(hosts.index(host), len(hosts))
