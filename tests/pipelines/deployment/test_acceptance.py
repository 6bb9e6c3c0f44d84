"""What the live endpoint is asked, and what counts as a wrong answer."""

from __future__ import annotations

import io
import logging
import re
import time
from typing import Any

import pytest

from paved_runtime.spec import Load, ModelSpec, Serverless
from pipelines.deployment.acceptance import Answers, ask, held_out_rows, stand
from pipelines.deployment.endpoint import Endpoint
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Clock as AnyClock
from pipelines.evidence import document
from tests import reference
from tests.support.fakes import Clock, Fake, archive, refusal
from tests.support.packages import PACKAGE
from tests.support.served_model import GOLDEN, HELD_OUT, SCHEMA, Served

DEPLOYED = {
    "endpoint": "lead-staging",
    "endpoint_config": "config-2",
    "model": "model-2",
    "instances": 1,
    "model_package_arn": PACKAGE.arn,
}
LIMITS = Load(requests_per_second=20, seconds=5, p50_ms=10_000, p95_ms=10_000, p99_ms=10_000, parity=1e-6)


def limited(limits: Load, name: str = reference.MODEL) -> ModelSpec:
    """A frozen model with these limits."""
    model = reference.model(name)
    return model.model_copy(update={"gates": model.gates.model_copy(update={"load": limits})})


def answers(runtime: Served, limits: Load = LIMITS, clock: AnyClock | None = None, model: str = reference.MODEL) -> Answers:
    """What is known of an endpoint that is in service, under load."""
    recorded = ask(Endpoint(runtime, "lead-staging"), GOLDEN)
    return recorded + stand(lambda _: Endpoint(runtime, "lead-staging"), HELD_OUT, SCHEMA, limited(limits, model), clock or Clock())


def failed(answers: Answers) -> list[str]:
    return [verdict.gate for verdict in answers.verdicts if verdict.passed is False]


def lines(answers: Answers) -> str:
    return "; ".join(verdict.line() for verdict in answers.verdicts if verdict.passed is False)


def test_a_good_endpoint_passes_every_gate(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    answered = answers(Served())
    gates = [verdict.model_dump() for verdict in answered.verdicts]
    staging = document.Staging.model_validate(DEPLOYED | answered.report | {"gates": gates})

    assert [(gate.gate, gate.passed) for gate in staging.gates] == [
        ("golden requests", True),
        ("reason codes", True),
        ("golden requests", True),
        ("parity", True),
        ("latency", True),
        ("latency", True),
        ("latency", True),
        ("latency", True),
        ("error rate", True),
        ("memory", True),
        ("schema", True),
    ]
    assert (staging.golden_requests, staging.bad_requests_refused, staging.largest_difference) == (2, 3, 0)
    assert (staging.parity.rows, staging.load.requests, staging.load.errors, staging.memory_mb) == (230, 100, 0, 180)
    assert all(not gate.advice for gate in staging.gates)
    assert "230 held-out rows asked; load: 20 requests a second for 5 seconds" in caplog.messages


def test_every_gate_that_fails_says_so() -> None:
    answered = answers(Served(shift=0.01, memory_mb=5000, schema={**SCHEMA, "target": "z"}))
    told = lines(answered)

    assert failed(answered) == ["golden requests", "parity", "error rate", "memory", "schema"]
    assert "parity: largest difference of scores, 230 held-out rows: found 0.01, accepted is <= 1e-06: the endpoint does not" in told
    assert "error rate: share of 100 requests: found 1.0, accepted is <= 0: 100 times another score than" in told
    assert 'schema.target is "z", not "y"' in told


@pytest.mark.parametrize(("shift", "failing"), [(0.04, ["golden requests"]), (0.06, ["golden requests", "parity", "error rate"])])
def test_amounts_may_differ_by_a_share_of_their_range(shift: float, failing: list[str]) -> None:
    """It is 50000 wide, of which 1e-6 is 0.05; the golden requests here are those of a probability."""
    assert failed(answers(Served(shift=shift), model="claim_amount")) == failing


def test_a_server_that_stalls_under_load_is_too_slow() -> None:
    """It stalls once, for half a second, and answers all others at once."""
    limits = LIMITS.model_copy(update={"requests_per_second": 100, "seconds": 1, "p99_ms": 400})
    latency = [verdict.line() for verdict in answers(Served(stall_at=45, stall=0.5), limits, time).verdicts if verdict.subject == "p99, ms"]

    assert re.fullmatch(r"latency: p99, ms: found \S+, accepted is <= 400: see the .* or a smaller model", latency[0])


def test_a_serverless_endpoint_is_judged_once_its_containers_have_started() -> None:
    """All that it may have are asked for at once: what breaks then is reported, and no failure."""
    on_demand = Serverless(memory_mb=2048, maximum_concurrency=4)
    answered = stand(lambda _: Endpoint(Served(break_at=2), "lead-staging"), HELD_OUT, SCHEMA, limited(LIMITS), Clock(), on_demand)
    gates = [verdict.model_dump() for verdict in answered.verdicts]
    golden = {"golden_requests": 2, "largest_difference": 0, "bad_requests_refused": 3}
    staging = document.Staging.model_validate(DEPLOYED | {"instances": 0} | golden | answered.report | {"gates": gates})

    assert failed(answered) == []
    assert staging.load_at_start
    assert (staging.load_at_start.requests, staging.load_at_start.errors) == (4, 1)
    assert (staging.load.requests, staging.load.errors) == (100, 0)


def test_a_server_that_breaks_under_load() -> None:
    assert lines(answers(Served(break_at=30))).startswith(
        "error rate: share of 100 requests: found 0.01, accepted is <= 0: 1 times status 500: see the"
    )


def test_a_package_of_old_has_no_reasons_to_compare() -> None:
    old = {key: value for key, value in GOLDEN.items() if key != "explained"}

    assert [verdict.passed for verdict in ask(Endpoint(Served(), "lead-staging"), old).verdicts] == [True, True]


def test_held_out_rows_lie_beside_the_model() -> None:
    s3 = Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(report={}, parity=HELD_OUT))})

    assert held_out_rows(s3, PACKAGE) == HELD_OUT
    assert s3.asked("get_object") == [{"Bucket": "artifacts", "Key": "runs/1/output.tar.gz"}]


def gone(**_: Any) -> None:
    raise refusal("NoSuchKey", "gone")


@pytest.mark.parametrize(
    "get_object",
    [
        gone,
        lambda **_: {"Body": io.BytesIO(b"not an archive")},
        lambda **_: {"Body": io.BytesIO(archive(report={}))},
        lambda **_: {"Body": io.BytesIO(archive(parity={"instances": [], "scores": []}))},
    ],
)
def test_without_held_out_rows_nothing_is_proven(get_object: Any) -> None:
    with pytest.raises(
        DeploymentError, match=r"s3://artifacts/runs/1/output\.tar\.gz holds no parity\.json with rows: there is nothing to compare"
    ):
        held_out_rows(Fake(get_object=get_object), PACKAGE)
