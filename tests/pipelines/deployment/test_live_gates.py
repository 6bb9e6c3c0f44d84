"""What a live endpoint is asked, and what counts as a wrong answer: whatever comes back, the gate says so and goes on."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import spec
from paved_runtime.protocol import OWN
from pipelines.deployment import live_gates
from pipelines.deployment.endpoint import Endpoint, Unanswered
from pipelines.deployment.load import Call, Load
from tests.support.fakes import Fake, refusal
from tests.support.served_model import GOLDEN, HELD_OUT, JSON, SCHEMA, Served, rows, score

TWO: dict[str, Any] = {"tolerance": 1e-6, "requests": [{"body": {"instances": [{"age": 30}, {"age": 40}]}, "scores": [0.25, 0.5]}]}


def saying(answer: Any) -> Endpoint:
    """An endpoint that says the same to everybody."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Endpoint(Fake(invoke_endpoint=lambda **_: {"Body": io.BytesIO(body)}), "lead-staging")


def scoring(*scores: float) -> Endpoint:
    return saying({"predictions": [{"score": score} for score in scores]})


def refusing(code: str, **rest: Any) -> Endpoint:
    def invoke(**_: Any) -> None:
        raise refusal(code, "no", **rest)

    return Endpoint(Fake(invoke_endpoint=invoke), "lead-staging")


def test_what_is_sent() -> None:
    runtime = Fake(invoke_endpoint=lambda **_: {"Body": io.BytesIO(b'{"predictions": [{"score": 0.25}, {"score": 0.5}]}')})
    live_gates.golden(Endpoint(runtime, "lead-staging"), TWO)
    (sent,) = runtime.asked("invoke_endpoint")

    assert (sent["EndpointName"], sent["ContentType"], json.loads(sent["Body"])) == ("lead-staging", JSON, TWO["requests"][0]["body"])
    assert sent["InferenceId"].startswith(OWN)  # the monitor leaves these out


def test_scores_within_the_tolerance() -> None:
    verdict = live_gates.golden(scoring(0.25, 0.5 + 5e-7), TWO)

    assert (verdict.passed, verdict.comparison, verdict.threshold, verdict.advice) == (True, "<=", 1e-6, "")
    assert verdict.found == pytest.approx(5e-7, rel=1e-4)


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        (scoring(0.25, 0.51), 0.01),
        (scoring(0.5, 0.25), 0.25),
        (scoring(float("nan"), 0.5), "not a number"),
        (scoring(0.25, float("inf")), "not a number"),
        (scoring(0.25), "1 scores for 2 rows"),
        (scoring(), "0 scores for 2 rows"),
        (saying({"predictions": [{"score": None}] * 2}), "an answer without scores"),
        (saying({"error": "no"}), "an answer without scores"),
        (saying([1, 2]), "an answer without scores"),
        (saying(b"<html>"), "an answer that is not JSON"),
        (refusing("ModelError", OriginalStatusCode=500), "status 500"),
    ],
)
def test_scores_that_evaluation_did_not_record(endpoint: Endpoint, found: float | str) -> None:
    verdict = live_gates.golden(endpoint, TWO)

    assert (verdict.passed, verdict.found) == (False, found)
    assert verdict.line().startswith(
        f"golden requests: largest difference of scores, 1 requests: found {found}, accepted is <= 1e-06: the end"
    )
    assert live_gates.parity(endpoint, {"instances": rows(30, 40), "scores": [0.25, 0.5]}, 1e-6).found == found


GRADES: dict[str, Any] = {"tolerance": 1e-6, "requests": [{"body": {"age": 30}, "scores": [[0.25, 0.5, 0.25]]}]}


def grading(**scores: Any) -> Endpoint:
    """An endpoint that answers one row with these probabilities of classes."""
    return saying({"predictions": [{"class": "medium", "scores": scores}], "base": {"low": -1.0, "medium": 0.5}})


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        (grading(low=0.25, medium=0.5, high=0.25), 0.0),
        (grading(low=0.25, medium=0.25, high=0.5), 0.25),
        (grading(low=0.25, medium=0.75), "scores of other classes"),
        (grading(low=0.25, medium=0.5, high=None), "an answer without scores"),
        (grading(low=0.25, medium=0.5, high=float("nan")), "not a number"),
        (saying({"predictions": [{"scores": [0.25, 0.5, 0.25]}]}), "an answer without scores"),
        (scoring(0.25), "scores of other classes"),
    ],
)
def test_each_class_has_the_probability_that_evaluation_recorded(endpoint: Endpoint, found: float | str) -> None:
    verdict = live_gates.golden(endpoint, GRADES)

    assert (verdict.passed, verdict.found) == (found == 0, found)
    assert live_gates.parity(endpoint, {"instances": rows(30), "scores": [[0.25, 0.5, 0.25]]}, 1e-6).found == found


def test_aws_own_refusals_are_no_answer_of_the_endpoint() -> None:
    with pytest.raises(Exception, match="AccessDenied"):
        live_gates.golden(refusing("AccessDeniedException"), TWO)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, 0),
        ({"base": -5.01}, 0.01),
        (
            {
                "predictions": [
                    {"reasons": [{"column": "age", "contribution": 1.8}]},
                    {"reasons": [{"column": "age", "contribution": 12.5}]},
                ]
            },
            0.5,
        ),
        ({"predictions": [{"reasons": []}] * 2}, "an answer without the reasons"),
        ({"predictions": []}, "an answer without the reasons"),
        ({"base": None}, "an answer without the reasons"),
        ({"base": float("nan")}, "not a number"),
    ],
)
def test_reasons(change: dict[str, Any], found: float | str) -> None:
    good = [{"reasons": [{"column": "age", "contribution": contribution}]} for contribution in (1.8, 12.0)]
    verdict = live_gates.reasons(saying({"predictions": good, "base": -5.0} | change), GOLDEN)

    assert verdict.found == (pytest.approx(found) if not isinstance(found, str) else found)
    assert verdict.passed is (found == 0)


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ({"low": -1.0, "high": 2.0}, 0.0),
        ({"low": -1.0, "high": 2.5}, 0.5),
        ({"low": -1.0}, "an answer without the reasons"),
        (0.5, "an answer without the reasons"),
    ],
)
def test_reasons_of_classes_have_a_base_each(base: Any, found: float | str) -> None:
    recorded = {"explained": GOLDEN["explained"] | {"base": {"low": -1.0, "high": 2.0}}}
    rows = [{"reasons": [{"column": "age", "contribution": contribution}]} for contribution in (1.8, 12.0)]
    verdict = live_gates.reasons(saying({"predictions": rows, "base": base}), recorded)

    assert (verdict.passed, verdict.found) == (found == 0, found)


@pytest.mark.parametrize(("more", "unit"), [({}, "log-odds"), ({"unit": "the target's unit"}, "the target's unit")])
def test_reasons_are_compared_in_the_unit_that_they_have(more: dict[str, str], unit: str) -> None:
    verdict = live_gates.reasons(saying({}), {"explained": GOLDEN["explained"] | more})

    assert verdict.subject == f"largest difference of contributions in {unit}, 2 rows"


def test_bad_requests_are_refused_with_their_status() -> None:
    bad = [{"body": "{", "content_type": JSON, "expect": 400}] * 2
    verdict = live_gates.refusals(refusing("ModelError", OriginalStatusCode=400), bad)

    assert (verdict.passed, verdict.found, verdict.threshold) == (True, 2, 2)


def test_an_empty_body_may_be_refused_by_the_api_itself() -> None:
    front = refusing("ValidationError", ResponseMetadata={"HTTPStatusCode": 400})

    assert live_gates.refusals(front, [{"body": "", "content_type": JSON, "expect": 400}]).passed
    with pytest.raises(Exception, match="ValidationError"):
        live_gates.refusals(front, [{"body": "{", "content_type": JSON, "expect": 400}])


@pytest.mark.parametrize(("endpoint", "status"), [(scoring(0.5), 200), (refusing("ModelError", OriginalStatusCode=500), 500)])
def test_bad_requests_that_are_answered_or_break_the_server(endpoint: Endpoint, status: int) -> None:
    verdict = live_gates.refusals(endpoint, [{"body": "{", "content_type": JSON, "expect": 400}])

    assert verdict.line() == (
        "golden requests: bad requests refused with the status due: found 0, accepted is == 1: "
        f"'{{' got status {status}, not 400: correct the runtime"
    )


def test_parity_asks_every_row_in_batches() -> None:
    asked: list[int] = []

    class Counting(Served):
        def invoke_endpoint(self, **request: Any) -> Any:
            asked.append(len(json.loads(request["Body"])["instances"]))
            return super().invoke_endpoint(**request)

    assert live_gates.parity(Endpoint(Counting(), "lead-staging"), HELD_OUT, 1e-6).passed
    assert asked == [100, 100, 30]


def test_parity_finds_one_wrong_row() -> None:
    scores = [*HELD_OUT["scores"][:-1], HELD_OUT["scores"][-1] + 0.125]
    verdict = live_gates.parity(Endpoint(Served(), "lead-staging"), HELD_OUT | {"scores": scores}, 1e-6)

    assert (verdict.passed, verdict.found, verdict.subject) == (False, 0.125, "largest difference of scores, 230 held-out rows")


def timing_out(**_: Any) -> None:
    raise ReadTimeoutError(endpoint_url="http://runtime")


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (scoring(0.99), "another score than evaluation's"),
        (refusing("ModelError", OriginalStatusCode=500), "status 500"),
        (refusing("ThrottlingException"), "ThrottlingException"),
        (Endpoint(Fake(invoke_endpoint=timing_out), "e"), "Read timeout on endpoint URL"),
    ],
)
def test_what_fails_a_request_of_the_load(endpoint: Endpoint, why: str) -> None:
    with pytest.raises(Unanswered, match=why):
        live_gates.sender(endpoint, HELD_OUT, 1e-6)(7)


def test_the_load_takes_the_rows_in_turn() -> None:
    send = live_gates.sender(
        Endpoint(Served(), "lead-staging"), {"instances": rows(30, 40), "scores": [score(row) for row in rows(30, 40)]}, 0
    )

    for number in range(5):
        send(number)


LIMITS = spec.Load(requests_per_second=10, p50_ms=100, p95_ms=200, p99_ms=300, error_rate=0.02)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["", "", "", "status 500"])), min_size=1, max_size=120))
def test_a_load_passes_when_each_figure_does(calls: list[tuple[float, str]]) -> None:
    load = Load(10, [Call(at / 10, at / 10, at / 10 + took, failure) for at, (took, failure) in enumerate(calls)])
    rate, p50, p95, p99, errors = live_gates.under_load(load, LIMITS)

    assert rate.passed
    assert [p50.passed, p95.passed, p99.passed] == [
        load.percentile(50) <= 100,
        load.percentile(95) <= 200,
        load.percentile(99) <= 300,
    ]
    assert errors.passed is (load.error_rate <= 0.02)


def test_a_rate_that_was_not_kept_proves_nothing() -> None:
    """All requests were answered at once, but they left at half the rate."""
    late = Load(10, [Call(at / 10, at / 5, at / 5 + 0.001, "") for at in range(20)])
    failed = [
        verdict.line() for verdict in live_gates.under_load(late, spec.Load(p50_ms=1e6, p95_ms=1e6, p99_ms=1e6)) if not verdict.passed
    ]

    assert failed == [f"latency: requests sent per second: found 5.12821, accepted is >= 9.0: {live_gates.BUSY}"]


def test_errors_are_told_by_their_reasons() -> None:
    calls = [Call(0, 0, 0.01, why) for why in ["status 500"] * 3 + ["status 503"] + [""] * 6]
    verdict = live_gates.under_load(Load(10, calls), LIMITS)[-1]

    assert verdict.line() == (
        "error rate: share of 10 requests: found 0.4, accepted is <= 0.02: 3 times status 500, 1 times status 503: see the endpoint's log"
    )


def test_what_the_endpoint_says_of_itself() -> None:
    memory, live = live_gates.described(Endpoint(Served(memory_mb=180), "e"), SCHEMA, 200)

    assert (memory.passed, memory.found, memory.threshold) == (True, 180, 200)
    assert (live.passed, live.found) == (True, "equal")


@pytest.mark.parametrize("endpoint", [refusing("ModelError", OriginalStatusCode=422), scoring(0.5), saying([]), saying({"memory_mb": 1})])
def test_an_endpoint_that_does_not_describe_itself_fails_both(endpoint: Endpoint) -> None:
    memory, live = live_gates.described(endpoint, SCHEMA, 200)

    assert (memory.passed, live.passed) == (False, False)
    assert str(memory.found).startswith("no description: ")


def test_a_leak_is_over_the_limit() -> None:
    memory, _ = live_gates.described(Endpoint(Served(memory_mb=201), "e"), SCHEMA, 200)

    assert memory.line().startswith(
        "memory: MiB that the container's process holds after the load: found 201.0, accepted is <= 200: look for"
    )


def test_the_schema_says_what_differs() -> None:
    age = SCHEMA["columns"]["age"]
    live = SCHEMA | {"columns": {"age": {**age, "maximum": 130, "missing": 0.5}, "job": {}}, "features": ["age", "job"]}
    _, verdict = live_gates.described(Endpoint(Served(schema=live), "e"), SCHEMA, 200)

    assert verdict.found == (
        "schema.columns.age.maximum is 130, not 120, schema.columns.age.missing is 0.5, not 0, schema.columns.job is unexpected and 1 more"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(json_values, json_values)
def test_json_differs_where_it_is_not_equal(one: Any, other: Any) -> None:
    assert bool(list(live_gates.differences(one, other))) == (json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
