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
    assert strangers(key(layout, None)["KeyPolicy"]) == others
    assert strangers(key(layout, "SIGN_VERIFY")["KeyPolicy"]) == set()
    assert strangers(artifact_policy(layout)) == others
    assert strangers(layout.all(WORKSHOP, "AWS::IAM::Role")) == set()


def test_artifacts_are_read_by_endpoints_and_their_monitors_only(layouts: dict[str, Layout]) -> None:
    (two,) = [one for one in artifact_policy(layouts["two"]) if one["Action"] == "s3:GetObject"]

    assert two["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [
        "arn:aws:iam::222222222222:role/paved-road-lead-scoring-staging-execution",
        "arn:aws:iam::222222222222:role/paved-road-lead-scoring-production-execution",
        "arn:aws:iam::222222222222:role/paved-road-lead-scoring-production-monitor",
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

    known = ("artifacts-bucket", "data-bucket", "evidence-key", "image-repository", "key", "training-role")
    assert facts == {f"/paved-road/lead_scoring/{fact}" for fact in known}


def key(layout: Layout, usage: str | None) -> Any:
    (found,) = [one for one in layout.all(WORKSHOP, "AWS::KMS::Key").values() if one.get("KeyUsage") == usage]
    return found


def test_evidence_has_a_key_that_signs_known_by_its_alias(three: Layout) -> None:
    signing = key(three, "SIGN_VERIFY")
    alias = three.only(WORKSHOP, "AWS::KMS::Alias")

    assert signing["KeySpec"] == "ECC_NIST_P256"
    assert "EnableKeyRotation" not in signing  # KMS refuses it for asymmetric keys
    assert alias["AliasName"] == "alias/paved-road-lead-scoring-evidence"
    assert alias["TargetKeyId"]["Fn::GetAtt"][0].startswith("EvidenceKey")


def test_buckets_have_the_names_that_policies_know(three: Layout) -> None:
    buckets = {one["BucketName"] for one in three.all(WORKSHOP, "AWS::S3::Bucket").values()}

    assert buckets == {"paved-road-lead-scoring-artifacts-111111111111", "paved-road-lead-scoring-data-111111111111"}


def test_training_writes_no_evidence_and_no_ledger(three: Layout) -> None:
    (role,) = three.all(WORKSHOP, "AWS::IAM::Role").values()
    put = [one for one in role["Policies"][0]["PolicyDocument"]["Statement"] if one["Action"] == "s3:PutObject"]

    assert [json.dumps(one["Resource"]).rpartition("}, ")[2] for one in put] == ['"/runs/*"]]}']


def test_endpoints_read_models_and_not_the_rows_beside_them(three: Layout) -> None:
    (read,) = [one for one in artifact_policy(three) if one["Action"] == "s3:GetObject" and "222222222222" in json.dumps(one)]
    (role,) = [
        one for one in three.all("PavedRoad-lead-scoring-Serving-staging", "AWS::IAM::Role").values() if "execution" in one["RoleName"]
    ]

    assert "/runs/*/model.tar.gz" in json.dumps(read["Resource"])
    assert "artifacts-111111111111/runs/*/model.tar.gz" in json.dumps(role["Policies"])
    assert "artifacts-111111111111/*" not in json.dumps(role["Policies"])


def test_training_may_register_but_not_approve_or_deploy(three: Layout) -> None:
    allowed = json.dumps(three.only(WORKSHOP, "AWS::IAM::Role")["Policies"])

    assert "sagemaker:CreateModelPackage" in allowed
    for forbidden in ("UpdateModelPackage", "CreateEndpoint", "UpdateEndpoint", "sts:AssumeRole"):
        assert forbidden not in allowed


def test_the_stack_is_protected(three: Layout) -> None:
    manifest = json.loads((three.folder / "manifest.json").read_text())["artifacts"]
    protected = {name for name, artifact in manifest.items() if artifact.get("properties", {}).get("terminationProtection")}

    assert protected == {"PavedRoad-lead-scoring-Workshop", "PavedRoad-credit-risk-Workshop"}
