"""What was approved beside the road lies in the registry, and is told."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment.unproven import Unproven, unproven
from pipelines.evidence import document, pack
from tests.support import sample
from tests.support.fakes import Fake
from tests.support.target import S3, FakeTarget

EVIDENCE = sample.approved()
ARN = EVIDENCE.model_package_arn
SENTENCE = document.approval_sentence(EVIDENCE)


def registry(said: str = SENTENCE, **objects: bytes) -> tuple[Any, Fake]:
    """A registry in which one version is approved; `objects` are the content of its evidence, where it has one."""
    container = {"Image": "i", "ModelDataUrl": "s3://b/k"}
    described = {"InferenceSpecification": {"Containers": [container]}, "ModelApprovalStatus": "Approved", "ApprovalDescription": said}
    sagemaker = Fake(
        list_model_packages=lambda **_: {"ModelPackageSummaryList": [{"ModelPackageArn": ARN}] * 3},
        describe_model_package=lambda **_: described,
    )
    aws = FakeTarget(sagemaker=sagemaker, s3=S3())
    made = aws.registry()
    aws.services["s3"].objects = {pack.evidence_uri(made.artifacts, ARN): content for content in objects.values()}
    return made, sagemaker


def test_what_the_road_approved_is_in_order() -> None:
    made, sagemaker = registry(evidence=document.canonical(EVIDENCE))

    assert unproven(made) == []
    (asked,) = sagemaker.asked("list_model_packages")
    assert (asked["ModelApprovalStatus"], asked["SortOrder"]) == ("Approved", "Descending")


@pytest.mark.parametrize(
    ("said", "objects", "why"),
    [
        (SENTENCE, {}, "it has no evidence"),
        (SENTENCE, {"evidence": b"{}"}, "its evidence is none (evidence.json"),
        ("fine", {"evidence": document.canonical(EVIDENCE)}, "its evidence has another approval"),
        (SENTENCE, {"evidence": document.canonical(document.without_approval(EVIDENCE))}, "its evidence has no approval"),
        (
            SENTENCE,
            {"evidence": document.canonical(EVIDENCE.model_copy(update={"model_package_arn": f"{sample.ARN}/99"}))},
            f"its evidence is of {sample.ARN}/99",
        ),
    ],
)
def test_what_a_hand_approved_is_told(said: str, objects: dict[str, bytes], why: str) -> None:
    made, _ = registry(said, **objects)
    (first,) = unproven(made, newest=1)

    assert first.why.startswith(why)
    assert len(unproven(made)) == 3


def test_the_line_says_what_to_type() -> None:
    assert Unproven(model_package_arn=f"{sample.ARN}/7", why="it has no evidence").line() == (
        "version 7 is approved in the registry though it has no evidence: find out who approved it, and reject it:"
        f" aws sagemaker update-model-package --model-package-arn {sample.ARN}/7 --model-approval-status Rejected"
    )
