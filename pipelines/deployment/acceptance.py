"""What a live endpoint answers to the road's own requests: those that evaluation recorded, and on demand held-out rows under load."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.config import Config as ClientConfig

from paved_runtime.protocol import GOLDEN, PARITY, SCHEMA
from paved_runtime.spec import ModelSpec, Serverless
from pipelines.deployment import live_gates, package
from pipelines.deployment.endpoint import Endpoint
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.load import IN_FLIGHT, Load, drive
from pipelines.deployment.pace import Clock, Pace
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.evidence import pack
from pipelines.evidence.document import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATIENT = ClientConfig(read_timeout=65, retries={"mode": "standard", "max_attempts": 3})  # a container has 60 s to answer
HURRIED = ClientConfig(read_timeout=65, retries={"total_max_attempts": 1}, max_pool_connections=IN_FLIGHT)  # a retry would hide an error
AT_ONCE = 0.001  # seconds in which a serverless endpoint gets its first requests
Json = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass
class Answers:
    """What is reported of an endpoint's answers, and the verdicts on them."""

    report: Json = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def __add__(self, other: Answers) -> Answers:
        return Answers(self.report | other.report, self.verdicts + other.verdicts)


def answers(place: Place, version: Package, pace: Pace, *, under_load: bool) -> Answers:
    """Ask the endpoint what evaluation recorded; with `under_load`, put what `model.toml` declares on it as well."""
    s3 = place.registry.s3
    recorded = ask(place.asked(PATIENT), package.member(s3, version, GOLDEN))
    if not under_load:
        return recorded
    schema, held_out = package.member(s3, version, SCHEMA), held_out_rows(s3, version)
    return recorded + stand(place.asked, held_out, schema, place.model, pace.clock, place.serving.serverless)


def ask(endpoint: Endpoint, golden: Json) -> Answers:
    """Send the golden and the bad requests that evaluation recorded."""
    scores, refused = live_gates.golden(endpoint, golden), live_gates.refusals(endpoint, golden["bad_requests"])
    reasons = [live_gates.reasons(endpoint, golden)] if "explained" in golden else []  # older packages know none
    report = {"golden_requests": len(golden["requests"]), "largest_difference": scores.found, "bad_requests_refused": refused.found}
    log.info("%d golden requests asked, %s of %s bad requests refused", report["golden_requests"], refused.found, refused.threshold)
    return Answers(report, [scores, *reasons, refused])


def stand(
    asked: Callable[[ClientConfig], Endpoint],
    held_out: Json,
    schema: Json,
    model: ModelSpec,
    clock: Clock,
    serverless: Serverless | None = None,
) -> Answers:
    """Ask for held-out rows, put the declared load on the endpoint, then let it describe itself.

    A serverless endpoint is first asked as much at once as the load can need, so that its containers start; that is reported, and is not
    judged. The load keeps to as many: what is throttled, or waits for one more container, says nothing of the version.
    """
    patient, hurried = (asked(config) for config in (PATIENT, HURRIED))
    limits = model.gates.load
    accepted = limits.parity * model.data.span
    parity = live_gates.parity(patient, held_out, accepted)
    rows = len(held_out["instances"])
    log.info("%d held-out rows asked; load: %g requests a second for %d seconds", rows, limits.requests_per_second, limits.seconds)
    send = live_gates.sender(hurried, held_out, accepted)
    in_flight = min(serverless.maximum_concurrency, _at_once(model)) if serverless else IN_FLIGHT
    put = partial(drive, send, in_flight=in_flight, clock=clock)
    start = partial(put, rate=in_flight / AT_ONCE, seconds=AT_ONCE)
    started = {"load_at_start": _logged("load while containers start", start()).as_json()} if serverless else {}
    load = _logged("load", put(rate=limits.requests_per_second, seconds=limits.seconds))
    memory, live_schema = live_gates.described(patient, schema, limits.memory_mb)
    report = {"parity": {"rows": rows, "largest_difference": parity.found}, "load": load.as_json(), **started, "memory_mb": memory.found}
    return Answers(report, [parity, *live_gates.under_load(load, limits), memory, live_schema])


def _at_once(model: ModelSpec) -> int:
    """As many requests as wait at a time while the slowest that is accepted keeps to its limit (Little's law)."""
    limits = model.gates.load
    return min(IN_FLIGHT, math.ceil(limits.requests_per_second * limits.p99_ms / 1000))


def _logged(what: str, load: Load) -> Load:
    failed = len(load.failures)
    log.info("%s: p50 %.1f ms, p99 %.1f ms, %d of %d failed", what, load.percentile(50), load.percentile(99), failed, len(load.calls))
    return load


def held_out_rows(s3: S3Client, version: Package) -> Json:
    """The rows that evaluation held out for this, with its scores: parity.json of the output.tar.gz beside the model.

    Raises:
        DeploymentError: they are not there.
    """
    uri = pack.report_of(version.data)
    archive = pack.read(s3, uri)
    try:
        rows: Json = json.loads(pack.members(archive or b"", PARITY)[PARITY])
    except (KeyError, ValueError):
        rows = {"instances": []}
    if not rows["instances"]:
        raise DeploymentError(f"{uri} holds no {PARITY} with rows: there is nothing to compare the endpoint with: train the model again")
    return rows
