"""Production under load for minutes on end, while it is deployed to and rolled back: who is lost, how long answers take, what memory does.

The road is the real one, on a localcloud of its own: each change is an execution of the pipeline with every gate, an approval and a canary,
of the same code and data, so that no gate has a reason to refuse it; the last one is `road rollback`. Requests leave at a fixed rate,
whether earlier ones were answered or not, and none is tried again. A failed one belongs to the canary's share when CloudWatch counts it for
a fleet that was still being deployed. Linux only.

    ./road bench soak [MODEL] [--minutes 10] [--rate 20] [--deployments 3] [--out FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3
import matplotlib as mpl
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import naming
from cli import executions, local, rows, synthetic, target
from cli.executions import Execution
from cli.local import LocalCloud
from cli.target import Target
from cli.tree import HERE
from config import CONFIG
from paved_runtime.spec import ModelSpec
from pipelines.deployment.endpoint import JSON, Unanswered
from pipelines.deployment.load import IN_FLIGHT, Call, Load, drive

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import PipelineVariableTypeDef

PRODUCTION = CONFIG.environments[-1]
HURRIED = Config(read_timeout=65, retries={"total_max_attempts": 1}, max_pool_connections=IN_FLIGHT)  # a retry would hide a lost request
DATA_ROWS, ROWS = 8000, 15  # of a data set; of a request, enough for score alarms to judge
LOOKED_EVERY = 1.0  # seconds
WINDOW = 5  # seconds of the load that are one point of the plot
PERCENTILES = (50, 95, 99, 99.9)


@dataclass(frozen=True)
class Production:
    """Where a model serves in the last environment, and what it is asked there."""

    aws: Target
    model: ModelSpec
    data: Path

    @property
    def endpoint(self) -> str:
        return naming.endpoint(CONFIG, self.model.name, PRODUCTION)

    @property
    def pipeline(self) -> str:
        return naming.delivery_pipeline(CONFIG, self.model.name)


@dataclass(frozen=True)
class Sample:
    """One look at the machine: seconds since the load began, MiB of localcloud, MiB of each process that serves production."""

    seconds: float
    localcloud: float
    serving: tuple[float, ...]


@dataclass(frozen=True)
class Change:
    """One change of production: when it began and ended, in seconds since the load began."""

    name: str
    began: float
    ended: float


@dataclass
class Watch:
    """What was seen beside the load. `deploying` has, for each endpoint configuration, the first and last time it was under deployment."""

    began: float = field(default_factory=time.monotonic)
    date: datetime = field(default_factory=lambda: datetime.now(UTC))
    samples: list[Sample] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    deploying: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def note(self, name: str, began: float) -> None:
        """A change has ended."""
        self.changes.append(Change(name, began, self.now))
        say(f"{name}: from {began:.0f} s to {self.now:.0f} s")

    @contextmanager
    def looking(self, cloud: LocalCloud, production: Production) -> Iterator[None]:
        """Look again and again while the block runs."""
        ended, sagemaker = threading.Event(), production.aws.session(PRODUCTION.account).client("sagemaker")

        def run() -> None:
            while not ended.wait(LOOKED_EVERY):
                self.samples.append(Sample(self.now, resident(cloud.pid), tuple(filter(None, map(resident, servers(production.endpoint))))))
                if pending := sagemaker.describe_endpoint(EndpointName=production.endpoint).get("PendingDeploymentSummary"):
                    first, _ = self.deploying.get(pending["EndpointConfigName"], (datetime.now(UTC), None))
                    self.deploying[pending["EndpointConfigName"]] = (first, datetime.now(UTC))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", help="without it the only one, or the first in alphabetical order")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--deployments", type=int, default=3)
    parser.add_argument("--out", type=Path, help="a folder for soak.json and soak.png")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    model = target.any_model(arguments.model)
    with TemporaryDirectory() as folder, road_to_production(model, dataset(model, Path(folder))) as production:
        watch, load = soak(production, arguments)
        result = figures(watch, load, in_canaries(production, watch), stored(production.aws))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        samples = {"changes": [asdict(c) for c in watch.changes], "memory": [asdict(s) for s in watch.samples], "latency": windows(load)}
        (arguments.out / "soak.json").write_text(json.dumps({**result, **samples}, indent=1) + "\n")
        draw(watch, load, arguments.out / "soak.png")
    print(json.dumps(result) if arguments.json else table(result))
    if len(watch.changes) <= arguments.deployments:
        sys.exit(f"only {len(watch.changes)} of {arguments.deployments} deployments and a rollback ended in time: give it more --minutes")


@contextmanager
def road_to_production(model: ModelSpec, data: Path) -> Iterator[Production]:
    """A localcloud on which a first version has come the whole way, for as long as the block lasts."""
    say("the first version goes to production")
    command = [sys.executable, "-m", "cli", "demo", model.name, "--data", str(data), "--yes", "--keep", "--json"]
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=HERE, env=unbuffered, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        if not any(line == "}\n" for line in demo.stdout):  # the end of what it tells of the version
            sys.exit("./road demo failed: see what it said above")
        cloud = local.find()
        assert cloud
        try:
            yield Production(Target(cloud=cloud), model, data)
        finally:
            say(local.stop())  # which the demo waits for


def soak(production: Production, arguments: argparse.Namespace) -> tuple[Watch, Load]:
    """Put the load on production, and change it meanwhile."""
    cloud = production.aws.cloud
    assert cloud
    send, seconds, watch = sender(production, cloud), 60 * arguments.minutes, Watch()
    with watch.looking(cloud, production), ThreadPoolExecutor(1) as pool:
        under_load = pool.submit(drive, send, rate=arguments.rate, seconds=seconds)
        if deploy(production, arguments.deployments, watch, until=seconds):
            began = watch.now
            road("rollback", production.model.name, "--reason", "soak", "--yes")
            watch.note("rollback", began)
        return watch, under_load.result()


def deploy(production: Production, count: int, watch: Watch, *, until: float) -> bool:
    """Take so many versions the whole way, as close behind each other as the pipeline lets them; whether there was time."""
    codepipeline, pipeline = production.aws.session().client("codepipeline"), production.pipeline
    cause: list[PipelineVariableTypeDef] = [{"name": "cause", "value": "soak"}]
    started = [codepipeline.start_pipeline_execution(name=pipeline, variables=cause)["pipelineExecutionId"] for _ in range(count)]
    for number, execution_id in enumerate(started, start=1):
        began = 0.0
        while (execution := _look(codepipeline, pipeline, execution_id)).status != "Succeeded":
            if watch.now > until:
                return False
            if execution.approval:
                began = watch.now
                road("approve", production.model.name, "--execution", execution.id, "--reason", "soak", "--yes")
            time.sleep(production.aws.pace)
        watch.note(f"deployment {number}", began)
    return True


def _look(codepipeline: CodePipelineClient, pipeline: str, execution_id: str) -> Execution:
    """The execution as it stands; it must not have failed."""
    execution = executions.find(codepipeline, pipeline, execution_id)
    if execution.failed:
        sys.exit(f"stage {execution.failed.name} failed: {execution.failed.said}")
    return execution


def sender(production: Production, cloud: LocalCloud) -> Callable[[int], None]:
    """Asks for the scores of the data set's rows, request after request."""
    asked = [rows.request(row, production.model) for row in rows.read(production.data, production.model.data)]
    bodies = [json.dumps({"instances": asked[first : first + ROWS]}) for first in range(0, len(asked) - ROWS, ROWS)]
    keys = cloud.variables(PRODUCTION.account)
    runtime = boto3.client(
        "sagemaker-runtime",
        region_name=PRODUCTION.account.region,
        endpoint_url=cloud.url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        config=HURRIED,
    )

    def send(number: int) -> None:
        try:
            runtime.invoke_endpoint(EndpointName=production.endpoint, ContentType=JSON, Body=bodies[number % len(bodies)])["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise Unanswered(" ".join(str(error).split())) from error

    return send


def in_canaries(production: Production, watch: Watch) -> int:
    """Failed requests that CloudWatch counts for fleets while they were being deployed."""
    cloudwatch, failed = production.aws.session(PRODUCTION.account).client("cloudwatch"), 0.0
    metrics = cloudwatch.list_metrics(Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors")["Metrics"]
    for metric in metrics:
        about = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
        if about["EndpointName"] != production.endpoint or about.get("EndpointConfigName") not in watch.deploying:
            continue
        first, last = watch.deploying[about["EndpointConfigName"]]
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=metric["Dimensions"],
            StartTime=first,
            EndTime=last + timedelta(seconds=1),
            Period=1,
            Statistics=["Sum"],
        )
        failed += sum(point["Sum"] for point in answer["Datapoints"])
    return round(failed)


def stored(aws: Target) -> list[tuple[datetime, int]]:
    """When each object was stored in S3, and its bytes: localcloud holds them in its memory, captured requests above all."""
    objects = []
    for account in CONFIG.accounts:
        s3 = aws.session(account).client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"])
            objects += [(version["LastModified"], version["Size"]) for page in pages for version in page.get("Versions", [])]
    return objects


def figures(watch: Watch, load: Load, canaries: int, objects: Sequence[tuple[datetime, int]]) -> dict[str, Any]:
    """What came of it."""

    def held(seconds: float) -> float:
        return sum(size for time, size in objects if time <= watch.date + timedelta(seconds=seconds)) / 2**20

    def during_change(call: Call) -> bool:
        return any(change.began <= call.due < change.ended for change in watch.changes)

    parts = {
        "all": load.calls,
        "changing": [c for c in load.calls if during_change(c)],
        "calm": [c for c in load.calls if not during_change(c)],
    }
    return {
        "minutes": round(watch.samples[-1].seconds / 60, 1),
        "requests": len(load.calls),
        "requests_per_second": round(load.sent_per_second, 2),
        "rows_per_request": ROWS,
        "failed": len(load.failures),
        "failed_outside_canaries": len(load.failures) - canaries,
        "failures": dict(Counter(load.failures).most_common(5)),
        "latency_ms": {name: latencies(Load(load.rate, calls)) for name, calls in parts.items() if calls},
        "memory_mib": {
            "localcloud": quarters([sample.localcloud for sample in watch.samples]),
            "without its S3": quarters([sample.localcloud - held(sample.seconds) for sample in watch.samples]),
            "serving process": quarters([statistics.mean(sample.serving) for sample in watch.samples if sample.serving]),
        },
        "serving_processes": sorted({len(sample.serving) for sample in watch.samples}),
        "seconds_of_changes": {change.name: round(change.ended - change.began, 1) for change in watch.changes},
    }


def latencies(load: Load) -> dict[str, float]:
    """Percentiles and the longest, in milliseconds."""
    return {**{f"p{percent:g}": round(load.percentile(percent), 1) for percent in PERCENTILES}, "max": round(load.percentile(100), 1)}


def quarters(values: Sequence[float]) -> dict[str, float]:
    """Medians of the first and of the last quarter, and the largest of all."""
    quarter = max(1, len(values) // 4)
    first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
    return {
        "first_quarter": round(first, 1),
        "last_quarter": round(last, 1),
        "change": round(last / first - 1, 4),
        "max": round(max(values), 1),
    }


def windows(load: Load) -> list[dict[str, float]]:
    """p50 and p99 of every few seconds."""
    parts: dict[int, list[Call]] = {}
    for call in load.calls:
        parts.setdefault(int(call.due // WINDOW), []).append(call)
    return [
        {"seconds": number * WINDOW, "p50_ms": Load(load.rate, calls).percentile(50), "p99_ms": Load(load.rate, calls).percentile(99)}
        for number, calls in sorted(parts.items())
    ]


def table(result: dict[str, Any]) -> str:
    """The result as a person reads it."""
    changes = ", ".join(f"{name} {seconds:g} s" for name, seconds in result["seconds_of_changes"].items())
    lines = [
        f"{result['minutes']:g} minutes, {result['requests']} requests of {ROWS} rows, {result['requests_per_second']:g} a second",
        f"changes: {changes}",
        f"failed: {result['failed']}; outside the canary's share: {result['failed_outside_canaries']}",
        *(f"  {count} times {failure}" for failure, count in result["failures"].items()),
        "",
        f"{'latency, ms':18}" + "".join(f"{name:>9}" for name in result["latency_ms"]["all"]),
        *(f"{name:18}" + "".join(f"{value:9.1f}" for value in part.values()) for name, part in result["latency_ms"].items()),
        "",
        f"{'memory, MiB':18}{'1st quarter':>12}{'last quarter':>13}{'change':>9}{'max':>9}",
        *(
            f"{name:18}{part['first_quarter']:12.1f}{part['last_quarter']:13.1f}{part['change']:+9.1%}{part['max']:9.1f}"
            for name, part in result["memory_mib"].items()
        ),
    ]
    return "\n".join(lines)


def draw(watch: Watch, load: Load, file: Path) -> None:
    """Latency, failures and memory over time."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (latency, memory) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    parts = windows(load)
    for name, colour in (("p50_ms", "#1a56a8"), ("p99_ms", "#b36b00")):
        latency.plot([part["seconds"] for part in parts], [part[name] for part in parts], color=colour, label=name.removesuffix("_ms"))
    lost = [call for call in load.calls if call.failure]
    if lost:
        latency.scatter([c.due for c in lost], [1000 * (c.answered - c.due) for c in lost], color="#b3261e", s=8, label="failed")
    latency.set(ylabel=f"latency in ms, {WINDOW} s each", yscale="log")
    seconds = [sample.seconds for sample in watch.samples]
    memory.plot(seconds, [sample.localcloud for sample in watch.samples], color="#1a56a8", label="localcloud")
    each = [statistics.mean(sample.serving) if sample.serving else float("nan") for sample in watch.samples]
    memory.plot(seconds, each, color="#b36b00", label="a serving process")
    memory.set(ylabel="memory in MiB", xlabel="seconds", ylim=(0, None))
    for axes in (latency, memory):
        for change in watch.changes:
            axes.axvspan(change.began, change.ended, color="#0000000d")
        axes.legend(loc="upper right")
    for change in watch.changes:
        latency.annotate(change.name, (change.began, 1.01), xycoords=("data", "axes fraction"), fontsize=8)
    figure.savefig(file, dpi=120)


def servers(endpoint: str) -> Iterator[int]:
    """The processes that serve an endpoint."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # ended since it was listed, or another user's
            continue
        if b"\0serve\0" in words and b"exit_with_parent.py" not in words and f"/{endpoint}/".encode() in variables:
            yield int(process.name)


def resident(process: int) -> float:
    """MiB of memory that is a process's own, without files that the kernel may drop; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))) / 1024


def dataset(model: ModelSpec, folder: Path) -> Path:
    """A synthetic data set."""
    return synthetic.make(model.name, folder / "data.csv", DATA_ROWS)


def road(*arguments: str) -> None:
    """Type `./road …`."""
    done = subprocess.run([sys.executable, "-m", "cli", *arguments], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"./road {' '.join(arguments)} failed: {done.stderr.strip().splitlines()[-1]}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
