"""A version that is compared in the shadow: only if it answers like the one that serves does it pass."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from paved_runtime.spec import Alarms, Deployment, Serving
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.deployment.readback import Served
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.deployment.shadow import variant_of
from pipelines.deployment.shadow_trial import Trial, compared, differs
from pipelines.evidence.document import Verdict
from tests.support.fakes import Clock, Fake
from tests.support.packages import PACKAGE

BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)
LIVE = Served(endpoint="lead-production", endpoint_config="config-2", model="m", instances=2, began=BEGAN, first=False)
SERVING = Serving(
    instance_type="ml.m5.large",
    instances=2,
    deployment=Deployment(policy="shadow", bake_minutes=4, maximum_minutes=40, minimum_requests=50),
    alarms=Alarms(score_shift=0.1, score_rows=100, server_error_rate=0.01, client_error_rate=0.2, model_latency_p99_ms=50),
)


def judged(
    *,
    rows: tuple[int, int] = (100, 100),
    requests: int = 100,
    expected: float = 0,
    span: float = 1,
    clock: Clock | None = None,
    **metrics: Any,
) -> list[Verdict]:
    """The verdicts on a shadow whose version and the live one scored so many rows; `metrics` is what CloudWatch has of the shadow."""

    def get_metric_statistics(**asked: Any) -> dict[str, Any]:
        dimensions = {each["Name"]: each["Value"] for each in asked["Dimensions"]}
        metric = asked["MetricName"]
        if version := dimensions.get("ModelVersion"):
            number = {"new": 0, "old": 1}[version]
            value = rows[number] if metric == "ScoredRows" else (0.3 + metrics.get(metric, 0) * (version == "new")) * 4
            return {"Datapoints": [{"Sum": value, "SampleCount": 4.0}] if rows[number] else []}
        assert dimensions == {"EndpointName": "lead-production", "VariantName": "shadow", "EndpointConfigName": "config-2"}
        if "ExtendedStatistics" in asked:
            return {"Datapoints": [{"ExtendedStatistics": {"p99": 1000 * metrics.get(metric, 0)}}]}
        return {"Datapoints": [{"Sum": requests * metrics.get(metric, 0), "SampleCount": float(requests)}] if requests else []}

    score_metrics = ScoreMetrics(cloudwatch=Fake(get_metric_statistics=get_metric_statistics), namespace="n")
    shift = dict.fromkeys((10, 50, 90), expected)
    trial = Trial(metrics=score_metrics, live=LIVE, variant="shadow", new="new", old="old", expected=shift, span=span)
    return compared(trial, SERVING, Pace(poll_seconds=15, clock=clock or Clock()))


def failed(verdicts: list[Verdict]) -> list[str]:
    return [verdict.subject.partition(",")[0] for verdict in verdicts if verdict.passed is False]


@pytest.mark.parametrize(
    ("metrics", "wrong"),
    [
        ({}, []),
        ({"ScoreP90": 0.1}, []),
        ({"ScoreP90": 0.11}, ["90th percentile of scores"]),
        ({"ScoreP10": -0.11}, ["10th percentile of scores"]),
        ({"Invocation5XXErrors": 0.01, "Invocation4XXErrors": 0.2, "ModelLatency": 50}, []),
        ({"Invocation5XXErrors": 0.02}, ["share of requests that fail (5xx)"]),
        ({"Invocation4XXErrors": 0.21}, ["share of requests that are refused (4xx)"]),
        ({"ModelLatency": 51}, ["p99 of the model's latency in ms"]),
        ({"Invocation5XXErrors": 1, "rows": (0, 100)}, ["share of requests that fail (5xx)"]),  # it never scores a row
    ],
)
def test_the_limits_are_those_of_alarms(metrics: dict[str, Any], wrong: list[str]) -> None:
    clock = Clock()
    verdicts = judged(clock=clock, **metrics)

    assert failed(verdicts) == wrong
    assert differs(verdicts) is bool(wrong)
    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    ("shift", "wrong"), [(0.2, []), (0.0, ["50th percentile of scores"]), (0.3, []), (0.31, ["50th percentile of scores"])]
)
def test_what_evaluation_found_is_expected(shift: float, wrong: list[str]) -> None:
    same: dict[str, Any] = dict.fromkeys(("ScoreP10", "ScoreP90"), 0.2)

    assert failed(judged(expected=0.2, **{**same, "ScoreP50": shift})) == wrong


@pytest.mark.parametrize(("shift", "wrong"), [(5000, []), (-5000, []), (5001, ["90th percentile of scores"])])
def test_amounts_are_compared_in_their_own_unit(shift: float, wrong: list[str]) -> None:
    verdicts = judged(span=50_000, ScoreP90=shift)

    assert failed(verdicts) == wrong
    assert verdicts[-1].threshold == 5000


@pytest.mark.parametrize(("rows", "requests"), [((99, 500), 99), ((500, 99), 500), ((0, 0), 0), ((0, 500), 500)])
def test_too_few_are_waited_for_and_then_nothing_is_known(rows: tuple[int, int], requests: int) -> None:
    clock = Clock()
    (verdict,) = judged(rows=rows, requests=requests, clock=clock)

    assert (verdict.passed, verdict.found, verdict.threshold) == (False, min(rows), 100)
    assert "too few to judge, which proves nothing: the shadow stays" in verdict.line()
    assert 2400 <= clock.monotonic() <= 2415
    assert not differs([verdict])


@pytest.mark.parametrize(
    ("shadows", "why"), [([], "has no shadow"), ([{"VariantName": "shadow", "ModelName": "other"}], "shadows arn:other")]
)
def test_the_shadow_is_looked_at(shadows: list[dict[str, str]], why: str) -> None:
    sagemaker = Fake(
        describe_endpoint_config=lambda **_: {"ShadowProductionVariants": shadows} if shadows else {},
        describe_model=lambda **_: {"PrimaryContainer": {"ModelPackageName": "arn:other"}},
    )

    with pytest.raises(DeploymentError, match=why):
        variant_of(sagemaker, LIVE, PACKAGE)
