"""The monitor looks at the version that really serves: after a deployment, a silent rollback, and a rollback by hand."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps import baseline
from pipelines.steps.stack import read, update
from tests.pipelines.steps.fake_production import ENDPOINT, Production
from tests.pipelines.steps.fakes import Fake, archive, refusal

ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/g"
S3 = Fake(get_object=lambda Key, **_: {"Body": io.BytesIO(archive(model=f"model {Key.split('/')[0]}".encode(), metadata={}))})  # noqa: N803  # boto3's name
REGISTRY = Fake(
    describe_model_package=lambda ModelPackageName: {  # noqa: N803
        "InferenceSpecification": {
            "Containers": [{"Image": f"i@{ModelPackageName[-1]}", "ModelDataUrl": f"s3://b/{ModelPackageName[-1]}/model.tar.gz"}]
        },
        "ModelApprovalStatus": "Approved",
    }
)


def version(number: int) -> dict[str, str]:
    name = hashlib.sha256(f"model {number}".encode() + b"{}").hexdigest()[:12]
    return {"ImageUri": f"i@{number}", "ModelDataUrl": f"s3://b/{number}/model.tar.gz", "ModelVersion": name}


def test_it_is_the_version_that_answers() -> None:
    assert baseline.serves(S3, REGISTRY, Production.serving(f"{ARN}/2"), ENDPOINT) == version(2)


def test_after_a_silent_rollback_it_is_the_one_before() -> None:
    production = Production.serving(f"{ARN}/1")
    production.configs["config-2"] = production.parameters["ModelPackageArn"] = f"{ARN}/2"  # and config-1 serves on

    assert baseline.serves(S3, REGISTRY, production, ENDPOINT) == version(1)


def test_where_a_packages_parts_serve_it_is_these() -> None:
    class Staging(Production):
        def describe_model(self, **_: Any) -> dict[str, Any]:
            return {"PrimaryContainer": {"Image": "i@1", "ModelDataUrl": "s3://b/1/model.tar.gz"}}

    assert baseline.serves(S3, REGISTRY, Staging.serving(f"{ARN}/1"), ENDPOINT) == version(1)


def test_only_stacks_that_look_at_a_version_follow(tmp_path: Path) -> None:
    for stack, parameters in (("Serving", baseline.PARAMETERS), ("Watch", {*baseline.PARAMETERS, "Key"}), ("Plain", {"BootstrapVersion"})):
        (tmp_path / f"{stack}.template.json").write_text(json.dumps({"Parameters": {name: {} for name in parameters}}))

    assert baseline.watching(tmp_path, ["Serving", "Watch"]) == ["Watch"]
    assert baseline.watching(tmp_path, ["Serving", "Plain"]) == []


@pytest.mark.parametrize("known", [version(2), {**version(2), "Key": "/paved-road/lead_scoring/production/key"}])
def test_a_watching_stack_is_moved_and_keeps_the_rest(known: dict[str, str]) -> None:
    """As a rollback does it: the template stays, and so do the parameters that are read from SSM."""
    has = dict(known)

    def describe(**_: Any) -> dict[str, Any]:
        shown = [{"ParameterKey": name, "ParameterValue": value} for name, value in has.items()]
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": shown}]}

    def change(*, Parameters: list[dict[str, Any]], **_: Any) -> None:  # noqa: N803
        new = {one["ParameterKey"]: one["ParameterValue"] for one in Parameters if not one.get("UsePreviousValue")}
        if has == {**has, **new}:
            raise refusal("ValidationError", "No updates are to be performed.")
        has.update(new)

    cloudformation = Fake(describe_stacks=describe, update_stack=change)
    for _ in range(2):
        stack = read(cloudformation, "Watch")
        assert stack
        update(cloudformation, stack, baseline.parameters(S3, "i@1", "s3://b/1/model.tar.gz"), poll_seconds=0)

    assert has == {**known, **version(1)}
