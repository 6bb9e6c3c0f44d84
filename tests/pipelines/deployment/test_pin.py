"""What training left is copied to where it does not write, and from there on that copy is the version."""

from __future__ import annotations

import json
from typing import Any

import pytest

import naming
from paved_runtime.spec import Data
from pipelines.deployment import package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pin import pin
from pipelines.evidence import card, document, pack
from tests.support import task_samples
from tests.support.fakes import Altered, archive
from tests.support.ledger import wipe
from tests.support.world import World


@pytest.fixture
def trained(staged: World) -> World:
    """A version as the training pipeline registers it: its package names what lies where training wrote."""
    left = f"{staged.artifacts}/{naming.RUNS}/1/train/output/{naming.MODEL_ARCHIVE}"
    for source, target in ((staged.model_data, left), (pack.report_of(staged.model_data), pack.report_of(left))):
        pack.write(staged.s3, target, staged.read(source))
    wipe(staged.s3, staged.artifacts, f"{naming.MODELS}/")
    container = {"Image": package.read(staged.sagemaker, staged.arn).image, "ModelDataUrl": left}
    staged.sagemaker.update_model_package(
        ModelPackageArn=staged.arn,
        InferenceSpecification={**specification(staged), "Containers": [container]},
        CustomerMetadataPropertiesToRemove=["artifact_sha256", "report_sha256"],
    )
    return staged


def specification(world: World) -> dict[str, Any]:
    described: dict[str, Any] = world.sagemaker.describe_model_package(ModelPackageName=world.arn)["InferenceSpecification"]
    return described


def test_the_package_names_a_copy_by_its_own_digest(trained: World) -> None:
    before = specification(trained)
    left = trained.read(trained.model_data)
    version = pin(trained.registry(), trained.arn)

    assert version.data == f"{trained.artifacts}/{naming.MODELS}/{document.sha256(left)}/{naming.MODEL_ARCHIVE}"
    assert version.artifact_sha256 == document.sha256(left)
    assert version.report_sha256 == document.sha256(trained.read(pack.report_of(version.data)))
    assert trained.read(version.data) == left
    assert pack.members(trained.read(pack.report_of(version.data)), "report.json")
    assert {**specification(trained), "Containers": []} == {**before, "Containers": []}
    assert version.status == "PendingManualApproval"


def test_the_registry_shows_what_evaluation_found(trained: World) -> None:
    """In Studio: the metric as one text whatever form the training took, the package's own card, the file that ModelMetrics name."""
    pin(trained.registry(), trained.arn)
    described = trained.sagemaker.describe_model_package(ModelPackageName=trained.arn)
    shown, statistics = described["ModelCard"], described["ModelMetrics"]["ModelQuality"]["Statistics"]
    content = json.loads(shown["ModelCardContent"])
    evaluation = json.loads(trained.read(statistics["S3Uri"]))
    value = evaluation["metrics"]["roc_auc"]["value"]

    assert described["CustomerMetadataProperties"]["roc_auc"] == repr(value)
    assert (shown["ModelCardStatus"], set(content["model_overview"])) == ("PendingReview", {"model_creator", "model_artifact"})
    assert card.ModelCardContent.model_validate(content).evaluation_details
    assert {metric["value"] for metric in content["evaluation_details"][0]["metric_groups"][0]["metric_data"]} >= {value}
    assert statistics["ContentType"] == "application/json"


@pytest.mark.parametrize("data", [task_samples.grades(), task_samples.amounts()], ids=["classes", "amounts"])
def test_the_registry_shows_the_figures_of_the_task(trained: World, data: Data) -> None:
    """The headline under its own name, and what SageMaker reads of such a problem."""
    evaluation = task_samples.evaluation(data)
    files = pack.members(trained.read(trained.model_data), "metadata.json", "model.onnx")
    left = archive(model=files["model.onnx"], evaluation=evaluation, metadata=json.loads(files["metadata.json"]))
    pack.write(trained.s3, trained.model_data, left)
    pack.write(trained.s3, pack.report_of(trained.model_data), archive(report=task_samples.report(data)))
    pin(trained.registry(), trained.arn)
    described = trained.sagemaker.describe_model_package(ModelPackageName=trained.arn)
    statistics = json.loads(trained.read(described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
    headline, group = ("roc_auc", "multiclass_classification_metrics") if data.classes else ("r2", "regression_metrics")

    assert described["CustomerMetadataProperties"][headline] == repr(evaluation["metrics"][headline]["value"])
    assert [key for key in statistics if key.endswith("_metrics")] == [group]
    assert json.loads(described["ModelCard"]["ModelCardContent"])["additional_information"]["custom_details"]["task"] == data.task


def test_a_report_that_is_none_is_not_pinned(trained: World) -> None:
    pack.write(trained.s3, pack.report_of(trained.model_data), archive(parity={}))

    with pytest.raises(DeploymentError, match=r"holds no report.json: training has left no report that can be shown: push again"):
        pin(trained.registry(), trained.arn)


def test_a_file_outside_of_what_is_pinned_is_not_written(trained: World) -> None:
    """A training role names it: it may not choose what a stage overwrites."""
    asked = list[str]()

    def elsewhere(**arguments: Any) -> Any:
        described = trained.sagemaker.describe_model_package(**arguments)
        statistics = {"ContentType": "application/json", "S3Uri": f"{trained.artifacts}/evidence/x/evidence.json"}
        asked.append(statistics["S3Uri"])
        return {**described, "ModelMetrics": {"ModelQuality": {"Statistics": statistics}}}

    pin(trained.registry(sagemaker=Altered(trained.sagemaker, describe_model_package=elsewhere)), trained.arn)

    assert pack.read(trained.s3, asked[0]) is None


def test_doing_it_twice_changes_nothing(trained: World) -> None:
    first = pin(trained.registry(), trained.arn)
    stored = pack.measure(trained.s3, first.data)

    assert pin(trained.registry(), trained.arn) == first
    assert pack.measure(trained.s3, first.data) == stored


def test_what_is_overwritten_between_the_measurement_and_the_copy_is_not_copied(trained: World) -> None:
    """S3 copies the version that was measured."""
    left = trained.read(trained.model_data)

    def swap(*arguments: Any) -> None:
        pack.write(trained.s3, trained.model_data, b"another")
        trained.s3.copy(*arguments)

    version = pin(trained.registry(s3=Altered(trained.s3, copy=swap)), trained.arn)
    assert trained.read(version.data) == left


def test_a_copy_that_is_another_is_refused(trained: World) -> None:
    def swap(_source: Any, bucket: str, key: str) -> None:
        trained.s3.put_object(Bucket=bucket, Key=key, Body=b"another")

    with pytest.raises(DeploymentError, match=r"is not the copy of .* that was made just now: find out who writes there"):
        pin(trained.registry(s3=Altered(trained.s3, copy=swap)), trained.arn)
    assert package.read(trained.sagemaker, trained.arn).artifact_sha256 == ""


def test_a_run_that_left_no_report_is_named(trained: World) -> None:
    bucket, _, key = pack.report_of(trained.model_data).removeprefix("s3://").partition("/")
    trained.s3.delete_object(Bucket=bucket, Key=key)

    with pytest.raises(DeploymentError, match=r"output\.tar\.gz is not there: training has left it somewhere else"):
        pin(trained.registry(), trained.arn)
