"""A version that is compared in the shadow: it gets copies of what production is asked, and only if it answers alike does it take over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from config import CONFIG
from model_code.spec import Alarms, Deployment, Serving, load
from pipelines.delivery import model_road
from pipelines.evidence.document import Verdict
from pipelines.steps import step
from pipelines.steps.package import Package
from pipelines.steps.readback import Served
from pipelines.steps.shadow import Trial, compared, variant_of
from pipelines.steps.step import StepError
from tests.faults.production import Production, running
from tests.pipelines.steps.fakes import Clock, Fake

BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)
LIVE = Served(endpoint="lead-production", endpoint_config="config-2", model="m", instances=2, began=BEGAN, first=False)
SERVING = Serving(
    instance_type="ml.m5.large",
    instances=2,
    deployment=Deployment(policy="shadow", bake_minutes=4, maximum_minutes=40, minimum_requests=50),
    alarms=Alarms(score_shift=0.1, score_rows=100, server_error_rate=0.01, client_error_rate=0.2, model_latency_p99_ms=50),
)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(step, "time", made)
    return made


def watched(*, rows: tuple[int, int] = (100, 100), requests: int = 100, expected: float = 0, **found: Any) -> list[Verdict]:
    """What is found of a shadow whose version and the live one scored so many rows; `found` is what CloudWatch has of the shadow."""

    def get_metric_statistics(**asked: Any) -> dict[str, Any]:
        dimensions = {one["Name"]: one["Value"] for one in asked["Dimensions"]}
        metric = asked["MetricName"]
        if version := dimensions.get("ModelVersion"):
            number = {"new": 0, "old": 1}[version]
            value = rows[number] if metric == "ScoredRows" else (0.3 + found.get(metric, 0) * (version == "new")) * 4
            return {"Datapoints": [{"Sum": value, "SampleCount": 4.0}] if rows[number] else []}
        assert dimensions == {"EndpointName": "lead-production", "VariantName": "shadow", "EndpointConfigName": "config-2"}
        if "ExtendedStatistics" in asked:
            return {"Datapoints": [{"ExtendedStatistics": {"p99": 1000 * found.get(metric, 0)}}]}
        return {"Datapoints": [{"Sum": requests * found.get(metric, 0), "SampleCount": float(requests)}] if requests else []}

    trial = Trial(live=LIVE, variant="shadow", new="new", old="old", expected=dict.fromkeys((10, 50, 90), expected))
    return compared(Fake(get_metric_statistics=get_metric_statistics), trial, SERVING, poll_seconds=15, minute_seconds=60)


def failed(verdicts: list[Verdict]) -> list[str]:
    return [verdict.subject.partition(",")[0] for verdict in verdicts if verdict.passed is False]


@pytest.mark.parametrize(
    ("found", "wrong"),
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
def test_the_limits_are_those_of_alarms(found: dict[str, Any], wrong: list[str], clock: Clock) -> None:
    assert failed(watched(**found)) == wrong
    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    ("shift", "wrong"), [(0.2, []), (0.0, ["50th percentile of scores"]), (0.3, []), (0.31, ["50th percentile of scores"])]
)
def test_what_evaluation_found_is_expected(shift: float, wrong: list[str]) -> None:
    same: dict[str, Any] = dict.fromkeys(("ScoreP10", "ScoreP90"), 0.2)

    assert failed(watched(expected=0.2, **{**same, "ScoreP50": shift})) == wrong


@pytest.mark.parametrize(("rows", "requests"), [((99, 500), 99), ((500, 99), 500), ((0, 0), 0), ((0, 500), 500)])
def test_too_few_are_waited_for_and_then_nothing_is_known(rows: tuple[int, int], requests: int, clock: Clock) -> None:
    (verdict,) = watched(rows=rows, requests=requests)

    assert (verdict.passed, verdict.found, verdict.threshold) == (False, min(rows), 100)
    assert "too few to judge, which proves nothing: the shadow stays" in verdict.line()
    assert 2400 <= clock.monotonic() <= 2415


@pytest.mark.parametrize(
    ("shadows", "why"), [([], "has no shadow"), ([{"VariantName": "shadow", "ModelName": "other"}], "shadows arn:other")]
)
def test_the_shadow_is_looked_at(shadows: list[dict[str, str]], why: str) -> None:
    version = Package(arn="arn:new", image="i", data="d", status="Approved", approval="")
    sagemaker = Fake(
        describe_endpoint_config=lambda **_: {"ShadowProductionVariants": shadows} if shadows else {},
        describe_model=lambda **_: {"PrimaryContainer": {"ModelPackageName": "arn:other"}},
    )

    with pytest.raises(StepError, match=why):
        variant_of(sagemaker, LIVE, version)


def test_it_comes_before_the_deployment_and_only_where_it_is_the_policy() -> None:
    lead = load("lead_scoring")
    for policy in ("canary", "shadow"):
        table = lead.serving["production"]
        deployment = table.deployment.model_copy(update={"policy": policy})
        model = lead.model_copy(update={"serving": {**lead.serving, "production": table.model_copy(update={"deployment": deployment})}})
        *_, production = model_road(CONFIG, model).jobs
        steps = [found[1] for command in production.commands if (found := re.search(r"steps\.(\w+)", command))]

        assert steps.count("shadow") == (policy == "shadow")
        assert policy == "canary" or steps.index("check_evidence") < steps.index("shadow") < steps.index("deploy")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production whose policy is `shadow`, in which a first version serves: nobody's requests could be copied before."""
    with running(tmp_path_factory.mktemp("production"), "shadow") as made:
        first = made.version(score=0.3)
        for arguments in (made.shadow(first), made.deploy(first), made.verify(first), made.record(first, "first")):
            done = made.run(*arguments)
            assert done.returncode == 0, done.stderr
        yield made


def shadowed(production: Production) -> bool:
    """Whether the endpoint has a shadow now."""
    sagemaker = production.away("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=production.endpoint)["EndpointConfigName"]
    return bool(sagemaker.describe_endpoint_config(EndpointConfigName=config).get("ShadowProductionVariants"))


@pytest.mark.slow
def test_a_good_one_is_compared_and_takes_over(production: Production) -> None:
    before, version = production.served(), production.version(score=0.33)
    with production.asked() as asked:
        compared = production.run(*production.shadow(version))
        assert compared.returncode == 0, compared.stderr
        assert (production.served(), shadowed(production)) == (before, True)
        deployed = production.run(*production.deploy(version))
        again = production.run(*production.shadow(version))
        verified = production.run(*production.verify(version))
    gates = {gate["subject"].partition(",")[0]: gate for gate in json.loads(compared.stdout)["gates"]}

    assert [done.returncode for done in (deployed, again, verified)] == [0, 0, 0], [deployed.stderr, again.stderr, verified.stderr]
    assert (production.served(), shadowed(production), asked["failed"]) == (version, False, 0)
    assert all(gate["passed"] for gate in gates.values())
    assert gates["50th percentile of scores"]["found"] == pytest.approx(0.03, abs=1e-6)
    assert production.run(*production.record(version, "good")).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("does", "line"),
    [
        ({"score": 0.9}, "50th percentile of scores, from the live version's, beyond what evaluation found: found 0."),
        ({"score": 0.3, "fails": 0.5}, "share of requests that fail (5xx): found 0."),
        ({"score": 0.3, "fails": 1.0}, "share of requests that fail (5xx): found 1.0"),
    ],
)
def test_one_that_differs_is_refused_and_nobody_has_noticed(production: Production, does: dict[str, float], line: str) -> None:
    before, version = production.served(), production.version(**does)
    with production.asked() as asked:
        refused = production.run(*production.shadow(version))

    assert refused.returncode == 1
    assert line in refused.stderr.splitlines()[-1]
    assert (production.served(), shadowed(production)) == (before, False)
    assert (asked["failed"], asked["answered"] > 100) == (0, True)


@pytest.mark.slow
def test_one_that_nobody_asked_is_neither_good_nor_bad(production: Production) -> None:
    """The shadow stays, and when somebody has asked, the stage can be retried."""
    before, version = production.served(), production.version(score=0.3)
    quiet = production.run(*production.shadow(version))
    left = shadowed(production)
    with production.asked():
        retried = production.run(*production.shadow(version))

    assert (quiet.returncode, left) == (1, True)
    assert "rows scored by both versions: found 0, accepted is >= 100: too few to judge" in quiet.stderr.splitlines()[-1]
    assert retried.returncode == 0, retried.stderr
    assert production.served() == before
