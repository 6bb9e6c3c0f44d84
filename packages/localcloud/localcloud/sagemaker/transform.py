"""Batch transform jobs: a model's container serves, and is asked about every object of a prefix.

By the API reference (CreateTransformJob, TransformOutput, StopTransformJob) and the developer guide ("Custom Inference Code with Batch
Transform", "Use batch transform to get inferences from large datasets"). The words of FailureReason are those that users report. Not
documented, and so localcloud's: that a job whose host is gone stores nothing.
"""

from __future__ import annotations

import gzip
import itertools
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from localcloud.core.cloud import IN_THIS_THREAD, cloud
from localcloud.core.errors import invalid
from localcloud.core.threads import together
from localcloud.ecr.containers import ContainerImage
from localcloud.ecr.images import Image
from localcloud.sagemaker import data_processing, jobs, mini_batches, s3_files, transform_hosts
from localcloud.sagemaker.data_processing import Unreadable
from localcloud.sagemaker.fleets import fetch
from localcloud.sagemaker.instances import Instance, Program
from localcloud.sagemaker.jobs import Failed, Job, Plan
from localcloud.sagemaker.mini_batches import Rules, TooLarge
from localcloud.sagemaker.models import container
from localcloud.sagemaker.records import Request, answer, reason, refuse
from localcloud.sagemaker.transform_hosts import MEGABYTES, OURS, THEIRS, FileFailed, Host

STARTS_WITHIN = 1800  # of SageMaker's seconds, until /ping must have answered: what users report
MOST_MEGABYTES, MOST_INSTANCES = 100, 100
VARIABLES = {  # what a container is told of its settings, where the request has them
    "MaxPayloadInMB": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "BatchStrategy": "SAGEMAKER_BATCH_STRATEGY",
    "MaxConcurrentTransforms": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
}
SOURCES = {"S3Prefix": s3_files.objects, "ManifestFile": s3_files.manifest}
SEE_LOGS = "See job logs for more information"
GONE = "InternalServerError: We encountered an internal error. Please try again."


def install() -> None:
    """Answer SageMaker's calls about transform jobs from jobs that run."""
    answer((create_transform_job, stop_transform_job))


class Transform(Job):
    """A transform job of a model, whose one container is `definition`. Its hosts serve for as long as there are files."""

    kind, group = "transform", "/aws/sagemaker/TransformJobs"

    def __init__(self, account: str, region: str, request: Request, model: Any, definition: dict[str, Any]) -> None:
        self.definition = definition
        self._instances: dict[str, Instance] = {}
        self._taken, self._ended_itself = "", threading.Event()
        self._made: list[tuple[Path, str]] = []
        self._failures: set[str] = set()
        super().__init__(account, region, request, plan(request, model, definition))

    def begin(self) -> None:
        super().begin()
        self.record.max_payload_in_mb = self.request.get("MaxPayloadInMB")
        self.record.failure_reason = self.record.labeling_job_arn = self.record.auto_ml_job_arn = None

    def take(self, host: str) -> bool:
        """Take a host away without warning. False where the job has no such host to lose at the moment."""
        with self._lock:
            instance = self._instances.get(host)
            if instance is None or not instance.ready.is_set() or self._taken or self._stopping.is_set():
                return False
            self._taken = host
        instance.kill()
        return True

    def run(self, image: Image | ContainerImage, s3: Any) -> int:
        """Transform every file while the hosts serve. Raises Failed where a host does not start, or is gone."""
        source = self.request["TransformInput"]["DataSource"]["S3DataSource"]
        objects = list(SOURCES[source["S3DataType"]](s3, source["S3Uri"]))
        if not objects:
            raise Failed(f"ClientError: No S3 objects found under S3 URL {source['S3Uri']}")
        program, over = self._program(image), threading.Event()
        self.record.transform_start_time = utcnow()
        try:
            if self._start(program):
                self._lose_a_host(over)
                self._transform(s3, objects)
        finally:
            over.set()
            with self._lock:
                instances, self._instances = list(self._instances.values()), {}
            together([instance.stop for instance in instances])
        if self._taken:
            self._line(self._taken, f"localcloud: {self._taken} was taken away")
            raise Failed(GONE)
        return 0

    def outputs(self, s3: Any, *, complete: bool) -> None:
        """Store the output of every file that was transformed; raises Failed where another was not. Nothing of a job that was stopped."""
        target = self.request["TransformOutput"]
        for path, name in self._made if complete else []:
            s3_files.upload(s3, path, f"{target['S3OutputPath'].rstrip('/')}/{name}.out", target.get("KmsKeyId"))
        if complete and self._failures:
            raise Failed(f"{THEIRS if THEIRS in self._failures else OURS}: {SEE_LOGS}")

    def _program(self, image: Image | ContainerImage) -> Program:
        data, settings = self.definition.get("ModelDataUrl"), transform_hosts.asked(self.request)
        return Program(
            image=image,
            uri=self.plan.image,
            role=self.role,
            region=self.region,
            isolated=self.plan.isolated,
            environment={
                **self.definition.get("Environment", {}),
                **self.request.get("Environment", {}),
                "SAGEMAKER_BATCH": "true",
                **{VARIABLES[name]: str(value) for name, value in settings.items()},
            },
            model=fetch(data, self.role, self.region, self.folder) if data else None,
            patience=max(STARTS_WITHIN / cloud().speed, cloud().least_patience),
        )

    def _start(self, program: Program) -> bool:
        """Start every host, and wait until all serve; False where the job is stopped meanwhile. Raises Failed."""
        with self._lock:
            if self._stopping.is_set():
                return False
            for host, ml in self.hosts.items():
                self._instances[host] = Instance(program, ml.parent, partial(self._line, host), partial(self._ended_by_itself, host))
            started = dict(self._instances)
        for host, instance in started.items():
            instance.settled.wait()
            if instance.failure and not self._stopping.is_set():
                self._note(host, instance.failure)
                raise Failed(f"{THEIRS}: {SEE_LOGS}")
        return not self._stopping.is_set()

    def _ended_by_itself(self, host: str, why: str) -> None:
        self._note(host, why)
        self._ended_itself.set()

    def _lose_a_host(self, over: threading.Event) -> None:
        """Lose one in a while, where the cloud is told to take hosts away and has not done so often enough."""
        losses = cloud().host_losses
        if losses and losses.due():
            host, seconds = losses.draw(list(self.hosts))
            threading.Thread(target=lambda: over.wait(seconds) or self.take(host), daemon=True).start()

    def _transform(self, s3: Any, objects: list[s3_files.Object]) -> None:
        """Each host has every so many-th file, several at a time, and never more requests than it may."""
        instances = dict(self._instances)
        if not instances:
            return
        settings = transform_hosts.settled(self.request, next(iter(instances.values())))
        rules = mini_batches.read(self.request, megabytes=settings.megabytes, single=settings.strategy == transform_hosts.SINGLE)
        with ExitStack() as asked:
            hosts = [
                asked.enter_context(closing(Host(name, instance, self.request, settings.concurrency, self._over)))
                for name, instance in instances.items()
            ]
            for host in hosts:
                self._note(host.name, str(settings))
            with ThreadPoolExecutor(settings.concurrency * len(hosts)) as files:
                turns = zip(itertools.cycle(hosts), itertools.count(), objects, strict=False)
                list(files.map(lambda turn: self._file(s3, rules, *turn), turns))

    def _over(self) -> bool:
        return self._stopping.is_set() or bool(self._taken) or self._ended_itself.is_set()

    def _file(self, s3: Any, rules: Rules, host: Host, number: int, source: s3_files.Object) -> None:
        """Transform one file, or note why it has no output."""
        bucket, key, name = source
        fetched, made = (self._folder(kind) / str(number) for kind in ("input", "output"))
        try:
            s3.download_file(bucket, key, str(fetched), Config=IN_THIS_THREAD)
            self._write(rules, host, fetched, made)
            self._made.append((made, name))
        except FileFailed as failure:
            self._fail(host, f"{bucket}/{key}", failure)
        except (TooLarge, Unreadable) as problem:
            self._fail(host, f"{bucket}/{key}", FileFailed(OURS, str(problem)))
        except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
            self._fail(host, f"{bucket}/{key}", FileFailed(OURS, f"it cannot be decompressed: {problem}"))
        except (ClientError, BotoCoreError) as problem:
            self._fail(host, f"{bucket}/{key}", FileFailed(OURS, reason(problem)))
        finally:
            fetched.unlink(missing_ok=True)

    def _folder(self, kind: str) -> Path:
        return cloud().folder("jobs", self.account, self.region, self.kind, self.name, kind)

    def _write(self, rules: Rules, host: Host, fetched: Path, made: Path) -> None:
        """Raises FileFailed, TooLarge, Unreadable, and what reading a compressed file raises."""
        unpack: Callable[..., Any] = gzip.open if self.request["TransformInput"].get("CompressionType") == "Gzip" else open
        with unpack(fetched, "rb") as file, made.open("wb") as out:
            for batch, body in host.answers(rules.batches(file)):
                out.write(rules.assembled(batch, body))

    def _fail(self, host: Host, name: str, failure: FileFailed) -> None:
        self._failures.add(failure.whose)
        for line in failure.lines:
            self._note(host.name, f"{name}: {line}")

    def _note(self, host: str, line: str) -> None:
        """Write to the host's data log (guide, "CloudWatch Logs for Amazon SageMaker AI")."""
        stream = f"{self.name}/{host}-{self._began}/data-log"
        text = f"{utcnow().isoformat(timespec='milliseconds')}:[sagemaker logs]: {line}"
        cloud().log(account=self.account, region=self.region, group=self.group, stream=stream, line=text)

    def _end(self, grace: float) -> None:
        for instance in self._instances.values():
            threading.Thread(target=instance.stop, daemon=True).start()


def plan(request: Request, model: Any, definition: dict[str, Any]) -> Plan:
    """Read CreateTransformJob's request. Raises an AWS error for what it must not say, and for what localcloud cannot honour."""
    _require_limits(request)
    refuse(request, ("DataCaptureConfig",), "CreateTransformJob")
    refuse(request["TransformResources"], ("TransformAmiVersion",), "CreateTransformJob's TransformResources")
    source, target = request["TransformInput"], request["TransformOutput"]
    stored = source["DataSource"]["S3DataSource"]
    _require("S3DataType", stored["S3DataType"], *SOURCES)
    _require("SplitType", source.get("SplitType", "None"), "None", "Line")
    data_processing.read(request)
    for uri in (stored["S3Uri"], target["S3OutputPath"]):
        s3_files.split(uri)
    return Plan(
        role=model.execution_role_arn,
        vpc=getattr(model, "VpcConfig", None),
        image=definition["Image"],
        entrypoint=None,
        arguments=["serve"],
        inputs=[],
        files={},
        resources="",
        cluster=request["TransformResources"],
        folders=[],
        message="",
        isolated=bool(model.enable_network_isolation),
    )


def _require(name: str, value: str, *accepted: str) -> None:
    if value not in accepted:
        raise invalid(f"localcloud cannot honour {name} {value} of CreateTransformJob: accepted is {' or '.join(accepted)}")


def _require_limits(request: Request) -> None:
    """Raise an AWS error for numbers and strategies that the API reference excludes. The wording is localcloud's."""
    megabytes, at_once = request.get("MaxPayloadInMB", MEGABYTES), request.get("MaxConcurrentTransforms", 0)
    if megabytes == 0:
        raise invalid("localcloud cannot honour MaxPayloadInMB 0 (chunked encoding) of CreateTransformJob")
    if megabytes > MOST_MEGABYTES:
        raise invalid(f"MaxPayloadInMB cannot be greater than {MOST_MEGABYTES} MB, and is {megabytes}")
    if at_once * megabytes > MOST_MEGABYTES:
        raise invalid(f"MaxConcurrentTransforms * MaxPayloadInMB cannot exceed {MOST_MEGABYTES} MB, and {at_once} * {megabytes} does")
    if request.get("BatchStrategy") == "MultiRecord" and request["TransformInput"].get("SplitType", "None") == "None":
        raise invalid("BatchStrategy MultiRecord needs a SplitType: Line, RecordIO or TFRecord")
    if (count := request["TransformResources"]["InstanceCount"]) > MOST_INSTANCES:
        raise invalid(f"InstanceCount cannot be greater than {MOST_INSTANCES}, and is {count}")


def create_transform_job(self: Any) -> ActionResult:
    request, here = self._get_params(), f"arn:{self.partition}:sagemaker:{self.region}:{self.current_account}"
    model = self.sagemaker_backend._models.get(request["ModelName"])
    if model is None:
        raise invalid(f'Could not find model "{here}:model/{request["ModelName"]}".')
    job = Transform(self.current_account, self.region, request, model, container(model, self.current_account, self.region))
    return ActionResult({"TransformJobArn": job.record.arn})


def stop_transform_job(self: Any) -> EmptyResult:
    return jobs.stop(self, "transform")
