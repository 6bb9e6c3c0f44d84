"""What a live endpoint must show before a person is asked, and the verdict on each: every gate speaks, none stops the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from paved_runtime import protocol, spec
from paved_runtime.protocol import model_version
from pipelines.deployment.endpoint import Endpoint, Unanswered, largest
from pipelines.deployment.load import Load
from pipelines.deployment.queue import UNTOLD
from pipelines.evidence.document import Verdict

BATCH = 100  # rows of a parity request
KEPT = 0.9  # of the declared rate: less proves nothing about it
NAMED = 3  # differences of a schema
UNIT = "log-odds"  # of reasons, where an older package does not say so
Json = dict[str, Any]

DESCRIBE = '{"describe": true}'
SWAPPED = "it is not the model that was to be deployed: find out who changed it on the way"
COMPUTES = "the endpoint does not compute what evaluation measured: compare the image's packages with training's"
SLOW = "see the endpoint's latency metrics: give it a larger or one more instance in model.toml, or a smaller model"
LEAK = "look for what grows with requests, or raise gates.load.memory_mb if the instance has the memory"
OTHER = "the image's model.toml is not the one of training: build and train again"
BUSY = "the rate was not kept from here, so the latencies prove nothing: lower gates.load.requests_per_second, or give the stage more CPU"


def identity(endpoint: Endpoint, model_sha256: str) -> Verdict:
    """Whether the endpoint says that it serves the model of this digest. Containers of paved-runtime 0.1.0 say only how that begins."""
    try:
        answer = endpoint.ask(DESCRIBE)
        serves, expected = answer.get("model_sha256") or answer["model_version"], model_sha256
    except (Unanswered, AttributeError, KeyError, TypeError) as error:
        serves, expected = f"no description: {error}", model_sha256
    if serves == model_version(expected):
        expected = serves
    return Verdict(
        gate="identity",
        subject="the model that the endpoint says it serves",
        passed=serves == expected,
        found=str(serves),
        comparison="==",
        threshold=expected,
        advice="" if serves == expected else SWAPPED,
    )


def golden(endpoint: Endpoint, recorded: Json) -> Verdict:
    """Whether the requests that evaluation recorded get the scores that it recorded."""
    differences = (endpoint.difference(json.dumps(request["body"]), request["scores"]) for request in recorded["requests"])
    subject = f"largest difference of scores, {len(recorded['requests'])} requests"
    return at_most("golden requests", subject, _worst(differences), recorded["tolerance"], COMPUTES)


def reasons(endpoint: Endpoint, recorded: Json) -> Verdict:
    """Whether the request for reasons that evaluation recorded gets the same ones."""
    explained = recorded["explained"]
    subject = f"largest difference of contributions in {explained.get('unit', UNIT)}, {len(explained['contributions'])} rows"
    return at_most("reason codes", subject, _worst(_contributions(endpoint, explained)), explained["tolerance"], COMPUTES)


def refusals(endpoint: Endpoint, bad: list[Json]) -> Verdict:
    """Whether requests that are wrong on purpose are refused, with the status that is due where it is told."""
    statuses = [endpoint.status(request["content_type"], request["body"]) for request in bad]
    wrong = [(request, status) for request, status in zip(bad, statuses, strict=True) if status not in (request["expect"], UNTOLD)]
    advice = "; ".join(f"{request['body'][:80]!r} got status {status}, not {request['expect']}" for request, status in wrong[:NAMED])
    return Verdict(
        gate="golden requests",
        subject="bad requests refused with the status due",
        passed=not wrong,
        found=len(bad) - len(wrong),
        comparison="==",
        threshold=len(bad),
        advice=f"{advice}: correct the runtime" if wrong else "",
    )


def parity(endpoint: Endpoint, held_out: Json, tolerance: float) -> Verdict:
    """Whether held-out rows, asked in batches, get the scores that evaluation gave them."""
    rows, scores = held_out["instances"], held_out["scores"]
    starts = range(0, len(rows), BATCH)
    differences = (endpoint.difference(json.dumps({"instances": rows[at : at + BATCH]}), scores[at : at + BATCH]) for at in starts)
    return at_most("parity", f"largest difference of scores, {len(rows)} held-out rows", _worst(differences), tolerance, COMPUTES)


def sender(endpoint: Endpoint, held_out: Json, tolerance: float) -> Callable[[int], None]:
    """The `send` of a load: held-out rows one by one, over and over. An answer with another score than evaluation's is a failure."""
    bodies = [json.dumps(row) for row in held_out["instances"]]
    scores = held_out["scores"]

    def send(number: int) -> None:
        at = number % len(bodies)
        try:
            difference = endpoint.difference(bodies[at], [scores[at]])
        except (BotoCoreError, ClientError) as error:
            raise Unanswered(" ".join(str(error).split())) from error
        if not difference <= tolerance:
            raise Unanswered("another score than evaluation's")

    return send


def under_load(load: Load, limits: spec.Load) -> list[Verdict]:
    """Whether the endpoint stood a load: the rate it was under, its latencies, its errors."""
    accepted = {50: limits.p50_ms, 95: limits.p95_ms, 99: limits.p99_ms}
    why = ", ".join(f"{count} times {failure}" for failure, count in Counter(load.failures).most_common(NAMED))
    return [
        at_least("latency", "requests sent per second", load.sent_per_second, KEPT * limits.requests_per_second, BUSY),
        *(at_most("latency", f"p{percent}, ms", load.percentile(percent), limit, SLOW) for percent, limit in accepted.items()),
        at_most("error rate", f"share of {len(load.calls)} requests", load.error_rate, limits.error_rate, f"{why}: see the endpoint's log"),
    ]


def described(endpoint: Endpoint, schema: Json, memory_mb: float) -> tuple[Verdict, Verdict]:
    """What the endpoint says of itself, against the limit and the package's schema: the verdicts on memory and schema.

    Of several instances, one answers for all: the container is the same.
    """
    memory: float | str
    try:
        answer = endpoint.ask(DESCRIBE)
        memory, differing = largest([answer["memory_mb"]]), list(differences(answer["schema"], schema))
    except (Unanswered, KeyError, TypeError, ValueError) as error:
        memory, differing = f"no description: {error}", [f"no description: {error}"]
    more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
    return (
        at_most("memory", "MiB that the container's process holds after the load", memory, memory_mb, LEAK),
        Verdict(
            gate="schema",
            subject="what the endpoint accepts, against the package",
            passed=not differing,
            found=", ".join(differing[:NAMED]) + more if differing else "equal",
            comparison="==",
            threshold="equal",
            advice=OTHER if differing else "",
        ),
    )


def differences(live: Any, expected: Any, path: str = "schema") -> Iterator[str]:
    """Where two JSON values differ, such as `schema.columns.age.maximum is 120, not 100`."""
    if isinstance(live, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *live]):
            if key not in live or key not in expected:
                yield f"{path}.{key} is {'missing' if key not in live else 'unexpected'}"
            else:
                yield from differences(live[key], expected[key], f"{path}.{key}")
    elif (is_now := json.dumps(live, sort_keys=True)) != (was := json.dumps(expected, sort_keys=True)):  # to Python, false is 0
        yield f"{path} is {is_now}, not {was}"


def at_most(gate: str, subject: str, value: float | str, threshold: float, advice: str) -> Verdict:
    """Passes when the value is a number and at most the threshold."""
    passed = not isinstance(value, str) and value <= threshold
    return _verdict(gate, subject, value, "<=", threshold, advice, passed=passed)


def at_least(gate: str, subject: str, value: float | str, threshold: float, advice: str) -> Verdict:
    """Passes when the value is a number and at least the threshold."""
    passed = not isinstance(value, str) and value >= threshold
    return _verdict(gate, subject, value, ">=", threshold, advice, passed=passed)


def _verdict(gate: str, subject: str, value: float | str, comparison: Any, threshold: float, advice: str, *, passed: bool) -> Verdict:
    short = value if isinstance(value, str) else float(f"{value:.6g}")
    advice = "" if passed else advice
    return Verdict(gate=gate, subject=subject, passed=passed, found=short, comparison=comparison, threshold=threshold, advice=advice)


def _worst(differences: Iterable[float]) -> float | str:
    """The largest of some differences; what went wrong where one could not be had."""
    try:
        return largest(differences)
    except Unanswered as error:
        return str(error)


def _contributions(endpoint: Endpoint, explained: Json) -> Iterator[float]:
    answer = endpoint.ask(json.dumps(explained["body"]))
    try:
        yield from protocol.reasons_apart(protocol.reasons(answer), explained)
    except (KeyError, TypeError, ValueError) as error:
        raise Unanswered("an answer without the reasons") from error
