"""The machines behind an endpoint: each instance a process with an /opt/ml of its own, watched and started again when it dies."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import shutil
import socket
import tarfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.core.utils import utcnow

from localcloud import images
from localcloud.cloud import cloud
from localcloud.errors import invalid
from localcloud.processes import Process, spawn
from localcloud.sagemaker import packages
from localcloud.sagemaker.records import backend, credentials, reason, split

PATIENCE = 240.0  # SageMaker's seconds until /ping must have answered, when the variant names none
LEAST_PATIENCE = 20.0  # real seconds: a program does not start faster because the clock does
PINGED_EVERY, MISSES, PAUSE = 5.0, 3, 0.5
GRACE = 30.0
GOLDEN = 0.6180339887498949
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What a container answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Program:
    """What an instance runs, and as whom. `model` is the folder of the unpacked model, if there is one."""

    image: images.Image
    uri: str
    role: str
    region: str
    isolated: bool
    environment: Mapping[str, str]
    model: Path | None
    patience: float


class Instance:
    """One serving process. `ready` while /ping says so; `settled` once the first start has succeeded or failed."""

    def __init__(self, program: Program, folder: Path, log: Callable[[str], None]) -> None:
        self.program, self.folder, self._log = program, folder, log
        self.ready, self.settled, self._ended = threading.Event(), threading.Event(), threading.Event()
        self.failure: str | None = None
        self._last_lines: deque[str] = deque(maxlen=5)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the process: SIGTERM, and after 30 s of SageMaker's time SIGKILL."""
        with self._lock:
            self._ended.set()
            process = self._process
        if process:
            process.stop(max(GRACE / cloud().speed, 1))
        self._thread.join()

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
        """Send one request over a kept connection. Raises OSError or HTTPException when there is no answer."""
        while True:
            reused = bool(self._idle)
            connection = self._idle.pop() if reused else http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            try:
                connection.request("POST", "/invocations", body, dict(headers))
                response = connection.getresponse()
                answer = Answer(response.status, dict(response.getheaders()), response.read())
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                if not reused:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                self._idle.append(connection)
                return answer

    def _keep(self) -> None:
        try:
            while not self._ended.is_set():
                self._live_once()
        except Exception as problem:  # reported as the fleet's failure to start
            self.failure = reason(problem)
            self._line(self.failure)
        finally:
            self.settled.set()

    def _live_once(self) -> None:
        gone = self._launch()
        if self._until_healthy(gone):
            self.ready.set()
            self.settled.set()
            self._watch(gone)
            self.ready.clear()
            self._idle.clear()
        elif not self.settled.is_set():
            how = "its process ended" if gone.is_set() else f"/ping did not answer 200 in {self.program.patience:.0f} s"
            self.failure = f"{how}; its last lines: {' | '.join(self._last_lines) or 'none'}"
            self._ended.set()
        if self._process:
            self._process.stop(1)
        self._ended.wait(PAUSE)

    def _launch(self) -> threading.Event:
        ml, gone = self.folder / "ml", threading.Event()
        shutil.rmtree(ml, ignore_errors=True)
        ml.mkdir(parents=True)
        if self.program.model:
            shutil.copytree(self.program.model, ml / "model")
        self.port = _free_port()
        p = self.program
        own = {"SAGEMAKER_BIND_TO_PORT": str(self.port), "SAGEMAKER_SAFE_PORT_RANGE": f"{self.port}-{self.port}"}
        env = p.image.environment(credentials(p.role, p.region, isolated=p.isolated), p.environment, own, ml=ml)
        with self._lock:
            if self._ended.is_set():
                gone.set()
                return gone
            process = self._process = spawn(p.image.command(["serve"], ml=ml), env=env, cwd=p.image.cwd, on_line=self._line)

        def tell() -> None:
            process.wait()
            gone.set()

        threading.Thread(target=tell, daemon=True).start()
        return gone

    def _until_healthy(self, gone: threading.Event) -> bool:
        deadline = time.monotonic() + self.program.patience
        while time.monotonic() < deadline and not gone.wait(0.05):
            if self._ping():
                return not gone.is_set()
        return False

    def _watch(self, gone: threading.Event) -> None:
        misses = 0
        while misses < MISSES and not gone.wait(PINGED_EVERY):
            misses = 0 if self._ping() else misses + 1

    def _ping(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        return False

    def _line(self, line: str) -> None:
        if line.strip():
            self._last_lines.append(line.strip())
        self._log(line)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Variant:
    """The instances of one production variant."""

    name: str
    weight: float
    start_one: Callable[[], Instance]
    uri: str
    role: str
    instances: list[Instance] = field(default_factory=list)
    starting: list[Instance] = field(default_factory=list)
    turn: itertools.count[int] = field(default_factory=itertools.count)

    def scale(self, count: int) -> str | None:
        """Have `count` instances; returns why one of the new ones did not start."""
        added = self.starting = [self.start_one() for _ in range(count - len(self.instances))]
        for instance in added:
            instance.settled.wait()
        if failures := [i.failure for i in added if i.failure]:
            _together([i.stop for i in added])
            return failures[0]
        self.instances, self.starting, removed = [*self.instances, *added][:count], [], self.instances[count:]
        _together([i.stop for i in removed])
        return None

    def next(self) -> Instance | None:
        """The next instance that is ready, in turn."""
        ready = [i for i in self.instances if i.ready.is_set()]
        return ready[next(self.turn) % len(ready)] if ready else None

    def describe(self) -> dict[str, Any]:
        """As DescribeEndpoint's ProductionVariantSummary."""
        image = {"SpecifiedImage": self.uri, "ResolvedImage": self.uri, "ResolutionTime": utcnow()}
        size = len(self.instances)
        return {
            "VariantName": self.name,
            "DeployedImages": [image],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            "CurrentInstanceCount": size,
            "DesiredInstanceCount": size,
        }


class Fleet:
    """The instances that serve one endpoint configuration. `config` is moto's record of it."""

    def __init__(self, account: str, region: str, endpoint: str, config: Any, *, counts: dict[str, int], weights: dict[str, float]) -> None:
        self.account, self.region, self.endpoint, self.config = account, region, endpoint, config
        self.capture: dict[str, Any] = config.data_capture_config or {}
        self._counts, self._weights = counts, weights
        self._folder = cloud().folder("endpoints", account, region, endpoint, f"fleet-{next(_numbers)}")
        self.variants: dict[str, Variant] = {}

    @property
    def size(self) -> int:
        return sum(len(v.instances) for v in self.variants.values())

    def start(self) -> str | None:
        """Start every instance; returns why the fleet cannot serve, once all are healthy or one has failed."""
        for declared in self.config.production_variants:
            name = declared["VariantName"]
            try:
                variant = self.variants[name] = self._variant(declared)
            except Exception as problem:  # becomes the endpoint's FailureReason, as SageMaker does with what it cannot fetch
                return f"The container for production variant {name} could not be prepared: {reason(problem)}"
            if failure := variant.scale(self._counts.get(name, declared.get("InitialInstanceCount", 1))):
                return f"The container for production variant {name} did not pass the ping health check: {failure}"
        return None

    def stop(self) -> None:
        """Stop every instance, also those that are only starting."""
        _together([i.stop for v in list(self.variants.values()) for i in (*v.instances, *v.starting)])

    def pick(self, turn: int, target: str | None) -> Variant:
        """The variant that answers the `turn`-th request: `target`, or by weight. Raises an AWS error for an unknown target."""
        if target is not None and target not in self.variants:
            raise invalid(f"Variant {target} does not exist in endpoint {self.endpoint}")
        variants = [self.variants[target]] if target else list(self.variants.values())
        point = turn * GOLDEN * GOLDEN % 1 * sum(v.weight for v in variants)
        for variant in variants:
            point -= variant.weight
            if point < 0:
                return variant
        return variants[-1]

    def describe(self) -> list[dict[str, Any]]:
        """As DescribeEndpoint's ProductionVariants."""
        return [v.describe() for v in self.variants.values()]

    def _variant(self, declared: dict[str, Any]) -> Variant:
        name, folder = declared["VariantName"], self._folder / declared["VariantName"]
        model = backend(self.account, self.region).describe_model(declared["ModelName"])
        found = container(model, self.account, self.region)
        role = model.execution_role_arn
        image = images.find(found["Image"], role_arn=role)
        unpacked = _fetch(found["ModelDataUrl"], role, self.region, folder) if found.get("ModelDataUrl") else None
        patience = declared.get("ContainerStartupHealthCheckTimeoutInSeconds", PATIENCE) / cloud().speed
        program = Program(
            image=image,
            uri=found["Image"],
            role=role,
            region=self.region,
            isolated=bool(model.enable_network_isolation),
            environment=found.get("Environment", {}),
            model=unpacked,
            patience=max(patience, LEAST_PATIENCE),
        )
        numbers = itertools.count(1)

        def start_one() -> Instance:
            number = next(numbers)
            stream = f"{name}/{self._folder.name}-i-{number}"
            group = f"/aws/sagemaker/Endpoints/{self.endpoint}"
            log = cloud().log
            return Instance(
                program,
                folder / f"instance-{number}",
                lambda line: log(account=self.account, region=self.region, group=group, stream=stream, line=line),
            )

        weight = self._weights.get(name, declared.get("InitialVariantWeight", 1.0))
        return Variant(name, weight, start_one, found["Image"], role)


def container(model: Any, account: str, region: str) -> dict[str, Any]:
    """The one container of a model, with image and data taken from its package when it names one.

    Raises an AWS error when the package is not there, not shared with the account, or not approved.
    """
    declared: dict[str, Any] = model.primary_container or model.containers[0]
    name = declared.get("ModelPackageName")
    if not name:
        return declared
    package = packages.find(name, account=account, region=region, action="sagemaker:CreateModel")
    if package.model_package_version and package.model_approval_status != "Approved":
        raise invalid(
            f"Model package {package.arn} cannot be deployed: its ModelApprovalStatus is {package.model_approval_status}, not Approved."
        )
    inner: dict[str, Any] = package.inference_specification["Containers"][0]
    return {**inner, "Environment": {**inner.get("Environment", {}), **declared.get("Environment", {})}}


def _fetch(uri: str, role: str, region: str, folder: Path) -> Path:
    """Download a model.tar.gz as the execution role, and unpack it where nothing in it can escape."""
    bucket, key = split(uri)
    archive, unpacked = folder / "model.tar.gz", folder / "model"
    folder.mkdir(parents=True, exist_ok=True)
    cloud().client("s3", role_arn=role, region=region).download_file(bucket, key, str(archive))
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked


def _together(calls: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
