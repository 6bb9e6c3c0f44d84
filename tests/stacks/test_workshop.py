"""A model's workshop: who of other accounts may read what, in every layout."""

from __future__ import annotations

import json
from typing import Any

from tests.stacks.conftest import Layout

WORKSHOP = "PavedRoad-lead-scoring-Workshop"


def strangers(value: Any) -> set[str]:
    """The account ids, other than the toolchain's, in a policy."""
    text = json.dumps(value)
    return {account for account in ("222222222222", "333333333333") if account in text}


def artifact_policy(layout: Layout) -> Any:
    (policy,) = [one for one in layout.all(WORKSHOP, "AWS::S3::BucketPolicy").values() if one["Bucket"]["Ref"].startswith("ArtifactStore")]
    return policy["PolicyDocument"]["Statement"]


def test_other_accounts_may_read_images_versions_artifacts_and_nothing_else(layout: Layout) -> None:
    others = {environment.account.id for environment in layout.config.environments} - {layout.config.toolchain.id}

    assert strangers(layout.only(WORKSHOP, "AWS::ECR::Repository")["RepositoryPolicyText"]) == others
    assert strangers(layout.only(WORKSHOP, "AWS::SageMaker::ModelPackageGroup").get("ModelPackageGroupPolicy")) == others
    assert strangers(layout.only(WORKSHOP, "AWS::KMS::Key")["KeyPolicy"]) == others
    assert strangers(artifact_policy(layout)) == others
    assert strangers(layout.all(WORKSHOP, "AWS::IAM::Role")) == set()


def test_artifacts_are_read_by_execution_roles_only(layouts: dict[str, Layout]) -> None:
    (two,) = [one for one in artifact_policy(layouts["two"]) if one["Action"] == "s3:GetObject"]

    assert two["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [
        "arn:aws:iam::222222222222:role/paved-road-lead-scoring-staging-execution",
        "arn:aws:iam::222222222222:role/paved-road-lead-scoring-production-execution",
    ]


def test_other_accounts_may_not_approve(three: Layout) -> None:
    policy = json.dumps(three.only(WORKSHOP, "AWS::SageMaker::ModelPackageGroup")["ModelPackageGroupPolicy"])

    assert "sagemaker:CreateModel" in policy
    assert "UpdateModelPackage" not in policy


def test_images_are_immutable_scanned_and_pulled_by_sagemaker(three: Layout) -> None:
    repository = three.only(WORKSHOP, "AWS::ECR::Repository")
    (policy,) = repository["RepositoryPolicyText"]["Statement"]

    assert repository["RepositoryName"] == "paved-road/lead-scoring"
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert policy["Principal"]["Service"] == "sagemaker.amazonaws.com"


def test_only_untagged_images_expire(three: Layout) -> None:
    rules = json.loads(three.only(WORKSHOP, "AWS::ECR::Repository")["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]

    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged"]


def test_the_road_is_told_where_things_are(three: Layout) -> None:
    facts = {one["Name"] for one in three.all(WORKSHOP, "AWS::SSM::Parameter").values()}

    assert facts == {
        f"/paved-road/lead_scoring/{fact}" for fact in ("artifacts-bucket", "data-bucket", "image-repository", "key", "training-role")
    }


def test_training_may_register_but_not_approve_or_deploy(three: Layout) -> None:
    allowed = json.dumps(three.only(WORKSHOP, "AWS::IAM::Role")["Policies"])

    assert "sagemaker:CreateModelPackage" in allowed
    for forbidden in ("UpdateModelPackage", "CreateEndpoint", "UpdateEndpoint", "sts:AssumeRole"):
        assert forbidden not in allowed


def test_the_stack_is_protected(three: Layout) -> None:
    manifest = json.loads((three.folder / "manifest.json").read_text())["artifacts"]
    protected = {name for name, artifact in manifest.items() if artifact.get("properties", {}).get("terminationProtection")}

    assert protected == {"PavedRoad-lead-scoring-Workshop", "PavedRoad-credit-risk-Workshop"}
