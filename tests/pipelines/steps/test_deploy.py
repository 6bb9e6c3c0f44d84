"""Which versions the score alarm compares: the new one with what really serves, whatever the stack says and however often the step runs."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps import cdk
from pipelines.steps.deploy import parameters, versions
from pipelines.steps.package import Package
from pipelines.steps.stack import Stack, read
from pipelines.steps.step import StepError
from tests.pipelines.steps.fake_production import Production
from tests.pipelines.steps.fakes import Fake, archive

ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/g"
NOTHING = {f"ExpectedShift{percentile}": "+0.000000" for percentile in ("P10", "P50", "P90")}
CALM = {"Urgent": "no", "ShadowModelPackageArn": "", **NOTHING}


def model(number: int) -> bytes:
    return f"model {number}".encode()


def name(number: int) -> str:
    return hashlib.sha256(model(number) + b"{}").hexdigest()[:12]


def package(number: int) -> Package:
    return Package(arn=f"{ARN}/{number}", image="i@sha256:1", data=f"s3://b/{number}/model.tar.gz", status="Approved", approval="")


def stored(champion: dict[str, Any] | None = None) -> Fake:
    """S3 with a version under each number; all were compared with the same champion."""

    def get_object(*, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803  # boto3's name
        return {"Body": io.BytesIO(archive(model=model(int(Key.split("/")[0])), metadata={}, evaluation={"champion": champion}))}

    return Fake(get_object=get_object)


S3 = stored()
REGISTRY = Fake(
    describe_model_package=lambda ModelPackageName: {  # noqa: N803
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": f"s3://b/{ModelPackageName[-1]}/model.tar.gz"}]},
        "ModelApprovalStatus": "Approved",
    }
)


def told(production: Production | None, number: int) -> dict[str, str]:
    stack = read(production, "Serving") if production else None
    return versions(S3, REGISTRY, production, stack, package(number))


def test_the_first_version_is_compared_with_none() -> None:
    assert told(None, 1) == {"ModelVersion": name(1), "PreviousModelVersion": "none", **CALM}


def test_a_new_version_is_compared_with_the_one_that_serves_and_ends_a_hurry() -> None:
    assert told(Production.serving(f"{ARN}/1", Urgent="yes"), 2) == {"ModelVersion": name(2), "PreviousModelVersion": name(1), **CALM}


def test_after_a_silent_rollback_the_stack_is_not_believed() -> None:
    production = Production.serving(f"{ARN}/1")
    production.configs["config-2"] = production.parameters["ModelPackageArn"] = f"{ARN}/2"  # and config-1 serves on

    assert told(production, 3)["PreviousModelVersion"] == name(1)


@pytest.mark.parametrize(("compared", "expected"), [(1, ("+0.012000", "+0.000000", "-0.113457")), (7, tuple(NOTHING.values()))])
def test_the_shift_that_was_approved_is_expected_of_that_pair_alone(compared: int, expected: tuple[str, ...]) -> None:
    champion = {"model_package_arn": f"{ARN}/{compared}", "score_shift": {"p10": 0.012, "p50": 1e-9, "p90": -0.11345678}}
    production = Production.serving(f"{ARN}/1")
    found = versions(stored(champion), REGISTRY, production, read(production, "Serving"), package(2))

    assert tuple(found[name] for name in NOTHING) == expected


def test_run_again_it_says_what_it_said() -> None:
    production = Production.serving(f"{ARN}/2", ModelVersion=name(2), PreviousModelVersion=name(1))

    assert told(production, 2) == {"ModelVersion": name(2), "PreviousModelVersion": name(1)}


def test_staging_serves_a_packages_parts() -> None:
    class Staging(Production):
        def describe_model(self, **_: Any) -> dict[str, Any]:
            return {"PrimaryContainer": {"Image": "i@sha256:1", "ModelDataUrl": "s3://b/1/model.tar.gz"}}

    assert told(Staging.serving(f"{ARN}/1"), 2)["PreviousModelVersion"] == name(1)


def test_a_package_without_a_model_is_not_deployed() -> None:
    empty = Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(schema={}))})
    stack = Stack(name="Serving", status="UPDATE_COMPLETE", outputs={}, parameters={})

    with pytest.raises(StepError, match=r"s3://b/2/model\.tar\.gz holds no model\.onnx: there is nothing to deploy"):
        versions(empty, REGISTRY, None, stack, package(2))


def test_a_template_gets_what_it_knows(tmp_path: Path) -> None:
    known = ["ModelPackageArn", "ModelVersion", "PreviousModelVersion", "Urgent"]
    (tmp_path / "Production.template.json").write_text(json.dumps({"Parameters": {name: {} for name in known}}))
    (tmp_path / "Older.template.json").write_text(json.dumps({"Parameters": {"ModelPackageArn": {}}}))

    assert parameters(tmp_path, "Production", package(2), **told(None, 2)) == {
        "ModelPackageArn": f"{ARN}/2",
        "ModelVersion": name(2),
        "PreviousModelVersion": "none",
        "Urgent": "no",
    }
    assert parameters(tmp_path, "Older", package(2), **told(None, 2)) == {"ModelPackageArn": f"{ARN}/2"}
    with pytest.raises(StepError, match="no stack Unknown there"):
        cdk.parameters(tmp_path, "Unknown")
