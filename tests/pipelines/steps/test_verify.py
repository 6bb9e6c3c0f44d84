"""What the live endpoint is asked, and what counts as a wrong answer."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from pipelines.steps.package import Package, member, read
from pipelines.steps.step import StepError
from pipelines.steps.verify import ask_bad, ask_golden, served
from tests.pipelines.steps.fakes import Fake, archive, refusal

PACKAGE = Package(
    arn="arn:aws:sagemaker:eu-west-1:111111111111:model-package/g/7",
    image="111111111111.dkr.ecr.eu-west-1.amazonaws.com/i@sha256:1",
    data="s3://artifacts/runs/1/model.tar.gz",
    status="Approved",
    approval="",
)
OUTPUTS = {"EndpointName": "lead-staging", "EndpointConfigName": "config-2"}
GOLDEN = {
    "content_type": "application/json",
    "tolerance": 1e-6,
    "requests": [{"body": {"instances": [{"age": 30}, {"age": 40}]}, "scores": [0.25, 0.5]}],
}


class Waiter:
    def __init__(self, fails: bool) -> None:
        self._fails = fails

    def wait(self, **_: Any) -> None:
        if self._fails:
            raise WaiterError("EndpointInService", "terminal failure", {})


class SageMaker(Fake):
    def __init__(self, *, container: dict[str, str], config: str = "config-2", fails: bool = False) -> None:
        super().__init__(
            describe_endpoint=lambda **_: {"EndpointConfigName": config, "FailureReason": "the container exited"},
            describe_endpoint_config=lambda **_: {"ProductionVariants": [{"ModelName": "model-2", "InitialInstanceCount": 2}]},
            describe_model=lambda **_: {"PrimaryContainer": container},
        )
        self._fails = fails

    def get_waiter(self, _: str) -> Waiter:
        return Waiter(self._fails)


def answering(*scores: float) -> Fake:
    body = json.dumps({"predictions": [{"score": score} for score in scores]}).encode()
    return Fake(invoke_endpoint=lambda **_: {"Body": io.BytesIO(body)})


def refusing(code: str, **rest: Any) -> Fake:
    def invoke(**_: Any) -> None:
        raise refusal(code, "no", **rest)

    return Fake(invoke_endpoint=invoke)


@pytest.mark.parametrize("container", [{"ModelPackageName": PACKAGE.arn}, {"Image": PACKAGE.image, "ModelDataUrl": PACKAGE.data}])
def test_what_was_deployed_is_served(container: dict[str, str]) -> None:
    report = served(SageMaker(container=container), OUTPUTS, PACKAGE, poll_seconds=0)

    assert report == {"endpoint": "lead-staging", "endpoint_config": "config-2", "model": "model-2", "instances": 2}


@pytest.mark.parametrize(
    "container",
    [{"ModelPackageName": PACKAGE.arn.replace("/7", "/6")}, {"Image": "other", "ModelDataUrl": PACKAGE.data}, {"Image": PACKAGE.image}],
)
def test_another_version_is_served(container: dict[str, str]) -> None:
    with pytest.raises(StepError, match=r"endpoint lead-staging serves .*, not .*model-package/g/7"):
        served(SageMaker(container=container), OUTPUTS, PACKAGE, poll_seconds=0)


def test_a_silent_rollback_is_a_failure() -> None:
    back = SageMaker(container={"ModelPackageName": PACKAGE.arn}, config="config-1")

    with pytest.raises(StepError, match="serves config-1, not config-2: the deployment was rolled back"):
        served(back, OUTPUTS, PACKAGE, poll_seconds=0)


def test_an_endpoint_that_does_not_come_up() -> None:
    with pytest.raises(StepError, match="lead-staging is not in service: the container exited: see its log group"):
        served(SageMaker(container={}, fails=True), OUTPUTS, PACKAGE, poll_seconds=0)


def test_golden_answers() -> None:
    runtime = answering(0.25, 0.5 + 5e-7)

    assert ask_golden(runtime, "lead-staging", GOLDEN) == pytest.approx(5e-7)
    (sent,) = runtime.asked("invoke_endpoint")
    assert (sent["ContentType"], json.loads(sent["Body"])) == ("application/json", {"instances": [{"age": 30}, {"age": 40}]})


@pytest.mark.parametrize("scores", [(0.25, 0.51), (0.5, 0.25), (float("nan"), 0.5), (0.25,), ()])
def test_answers_that_evaluation_did_not_record(scores: tuple[float, ...]) -> None:
    with pytest.raises(StepError, match="golden request 1: found"):
        ask_golden(answering(*scores), "lead-staging", GOLDEN)


def test_bad_requests_are_refused_with_their_status() -> None:
    bad = [{"body": "{", "content_type": "application/json", "expect": 400}] * 2

    assert ask_bad(refusing("ModelError", OriginalStatusCode=400), "lead-staging", bad) == 2


@pytest.mark.parametrize("runtime", [answering(0.5), refusing("ModelError", OriginalStatusCode=500)])
def test_bad_requests_that_are_answered_or_break_the_server(runtime: Fake) -> None:
    with pytest.raises(StepError, match="expected 400"):
        ask_bad(runtime, "lead-staging", [{"body": "{", "content_type": "application/json", "expect": 400}])


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
