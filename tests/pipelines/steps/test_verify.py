"""What the live endpoint is asked, and what counts as a wrong answer."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model_code import spec
from model_code.spec import Load
from pipelines.evidence import document
from pipelines.steps import load
from pipelines.steps.endpoint import Endpoint
from pipelines.steps.package import Package, member, read
from pipelines.steps.step import StepError
from pipelines.steps.verify import ask, conclude, held_out_rows, limits_of, main, stand
from tests.pipelines.steps.fakes import Clock, Fake, archive, refusal
from tests.pipelines.steps.served_model import GOLDEN, HELD_OUT, SCHEMA, Served

PACKAGE = Package(
    arn="arn:aws:sagemaker:eu-west-1:111111111111:model-package/g/7",
    image="111111111111.dkr.ecr.eu-west-1.amazonaws.com/i@sha256:1",
    data="s3://artifacts/runs/1/model.tar.gz",
    status="Approved",
    approval="",
)
BORN = datetime(2026, 11, 21, tzinfo=UTC)


def test_the_package_and_what_is_in_it() -> None:
    container = {"Image": PACKAGE.image, "ModelDataUrl": PACKAGE.data}
    described = {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": "Approved"}
    s3 = Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(golden=GOLDEN, schema={}))})
    version = read(Fake(describe_model_package=lambda **_: described), PACKAGE.arn)

    assert version == PACKAGE
    assert member(s3, version, "golden.json") == GOLDEN
    assert s3.asked("get_object") == [{"Bucket": "artifacts", "Key": "runs/1/model.tar.gz"}]


def test_a_package_without_golden_requests() -> None:
    with pytest.raises(KeyError, match=r"golden\.json"):
        member(Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(schema={}))}), PACKAGE, "golden.json")


ARN = PACKAGE.arn
DEPLOYED = {"endpoint": "lead-staging", "endpoint_config": "config-2", "model": "model-2", "instances": 1, "model_package_arn": ARN}
LIMITS = Load(requests_per_second=20, seconds=5, p50_ms=10_000, p95_ms=10_000, p99_ms=10_000, parity=1e-6)


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "time", Clock())


def verify(runtime: Served, report: Path, limits: Load = LIMITS) -> None:
    """What the step does once it knows that the endpoint is in service."""
    asked, verdicts = ask(Endpoint(runtime, "lead-staging"), GOLDEN)
    stood, more = stand(lambda _: runtime, "lead-staging", HELD_OUT, SCHEMA, limits)
    conclude(DEPLOYED | asked | stood, verdicts + more, report)


@pytest.mark.usefixtures("_at_once")
def test_a_good_endpoint_passes_every_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "staging.json"
    verify(Served(), report)
    told = capsys.readouterr()
    found = document.Staging.model_validate_json(report.read_bytes())

    assert json.loads(told.out) == json.loads(report.read_text())
    assert [(gate.gate, gate.passed) for gate in found.gates] == [
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
    assert (found.golden_requests, found.bad_requests_refused, found.largest_difference) == (2, 3, 0)
    assert (found.parity.rows, found.load.requests, found.load.errors, found.memory_mb) == (230, 100, 0, 180)
    assert all(not gate.advice for gate in found.gates)
    assert "load: 20 requests a second for 5 seconds" in told.err


@pytest.mark.usefixtures("_at_once")
def test_every_failed_gate_is_in_the_one_line_and_the_report_is_written(tmp_path: Path) -> None:
    runtime = Served(shift=0.01, memory_mb=5000, schema={**SCHEMA, "target": "z"})
    report = tmp_path / "staging.json"
    with pytest.raises(StepError) as caught:
        verify(runtime, report)
    failed = [line.split(": ")[0] for line in str(caught.value).split("; ")]

    assert failed == ["golden requests", "parity", "error rate", "memory", "schema"]
    assert "parity: largest difference of scores, 230 held-out rows: found 0.01, accepted is <= 1e-06: the endpoint does not" in str(
        caught.value
    )
    assert "error rate: share of 100 requests: found 1.0, accepted is <= 0: 100 times another score than" in str(caught.value)
    assert 'schema.target is "z", not "y"' in str(caught.value)
    assert [gate["gate"] for gate in json.loads(report.read_text())["gates"] if gate["passed"] is False] == failed


def test_a_server_that_stalls_under_load_is_too_slow(tmp_path: Path) -> None:
    """It stalls once, for half a second, and answers all others at once."""
    limits = LIMITS.model_copy(update={"requests_per_second": 100, "seconds": 1, "p99_ms": 400})
    with pytest.raises(StepError, match=r"latency: p99, ms: found \S+, accepted is <= 400: see the .* or a smaller model"):
        verify(Served(stall_at=45, stall=0.5), tmp_path / "staging.json", limits)


@pytest.mark.usefixtures("_at_once")
def test_a_server_that_breaks_under_load(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"^error rate: share of 100 requests: found 0\.01, accepted is <= 0: 1 times status 500: see the"):
        verify(Served(break_at=30), tmp_path / "staging.json")


def test_a_package_of_old_has_no_reasons_to_compare() -> None:
    old = {key: value for key, value in GOLDEN.items() if key != "explained"}

    assert [verdict.passed for verdict in ask(Endpoint(Served(), "lead-staging"), old)[1]] == [True, True]


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
        StepError, match=r"s3://artifacts/runs/1/output\.tar\.gz holds no parity\.json with rows: there is nothing to compare"
    ):
        held_out_rows(Fake(get_object=get_object), PACKAGE)


def test_a_load_without_a_model_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--stack", "s", "--account", "111111111111", "--region", "eu-west-1", "--role", "r"]
    monkeypatch.setattr("sys.argv", ["verify", *where, "--load"])
    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert "--load needs --model: its model.toml has the limits" in capsys.readouterr().err


def test_evidence_is_written_only_where_it_can_be_signed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--stack", "s", "--account", "111111111111", "--region", "eu-west-1", "--role", "r"]
    monkeypatch.setattr("sys.argv", ["verify", *where, "--artifacts", "s3://a"])
    with pytest.raises(SystemExit):
        main()

    assert "--artifacts needs --evidence-key" in capsys.readouterr().err


def test_what_is_reported_and_not_judged_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = document.Verdict(gate="live check", subject="s", passed=None, found=0, comparison=">=", threshold=1, advice="new")
    conclude({}, [verdict], None)

    assert json.loads(capsys.readouterr().out)["gates"][0]["passed"] is None


def test_the_limits_are_the_models() -> None:
    assert limits_of("lead_scoring") == spec.load("lead_scoring").gates.load
    with pytest.raises(StepError, match=r"model_code/nobody/model\.toml: no such file"):
        limits_of("nobody")
