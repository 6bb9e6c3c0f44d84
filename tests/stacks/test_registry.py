"""A model's registry: who of other accounts may read what, in every layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naming
from localcloud.iam import policies
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import AWAY, HOME, PRODUCTION, STAGING, STEADY, Layout, joined, listed, synth

pytestmark = pytest.mark.laptop("templates alone")

REGISTRY = naming.registry_stack(CONFIG, MODEL)
BUCKETS = {naming.artifacts_bucket(CONFIG, MODEL), naming.data_bucket(CONFIG, MODEL)}
SIGNING = ("EvidenceKey", "ReleaseKey")
ROADS = [  # roles of this model's road, of another's and of the platform's, and of what they start
    *(naming.deploy_role(CONFIG, model, each) for model in (MODEL, STEADY, naming.PLATFORM) for each in (STAGING, PRODUCTION)),
    *(naming.stage_project(CONFIG, MODEL, stage) for stage in (naming.BUILD, naming.UPDATE, naming.TRAIN)),
    *(naming.stage_project(CONFIG, naming.PLATFORM, stage) for stage in (naming.CHECK, naming.UPDATE, naming.ONBOARD)),
    *(role(CONFIG, MODEL) for role in (naming.controller_role, naming.training_role)),
    naming.pull_request_project(CONFIG),
]
SERVED = f"{naming.RUNS}/*/{naming.MODEL_ARCHIVE}"
Json = dict[str, Any]


def strangers(value: Any) -> set[str]:
    """The account ids, other than the toolchain's, in a policy."""
    text = json.dumps(value)
    return {account.id for account in AWAY if account.id in text}


def artifact_policy(layout: Layout) -> list[Json]:
    """The statements of the artifacts bucket's policy."""
    policies = layout.all(REGISTRY, "AWS::S3::BucketPolicy").values()
    (policy,) = [policy for policy in policies if policy["Bucket"]["Ref"].startswith("ArtifactStore")]
    statements: list[Json] = policy["PolicyDocument"]["Statement"]
    return statements


def key(layout: Layout, name: str) -> Json:
    """The key of a construct."""
    (key,) = [key for logical_id, key in layout.all(REGISTRY, "AWS::KMS::Key").items() if logical_id.startswith(name)]
    return key


def refuses(layout: Layout, name: str, role: str) -> bool:
    """Whether the policy of a signing key refuses to sign for a role of the toolchain's account."""
    policy = {"Statement": [_plain(statement) for statement in key(layout, name)["KeyPolicy"]["Statement"]]}
    arn = f"arn:aws:iam::{HOME.id}:role/{role}"
    about = policies.addressing(policy, arn)
    asked: Json = {"action": "kms:Sign", "resource": f"arn:aws:kms:{HOME.region}:{HOME.id}:key/1", "context": policies.known_of(arn)}
    assert policies.grants(about, **asked), "the account may delegate, so a Deny is what decides"
    return policies.denies(about, **asked)


def _plain(statement: Json) -> Json:
    """A statement with its ARNs as text."""
    conditions = {
        operator: {name: [joined(arn) for arn in listed(arns)] for name, arns in accepted.items()}
        for operator, accepted in statement.get("Condition", {}).items()
    }
    principal = statement["Principal"]
    named = principal if isinstance(principal, str) else {kind: joined(value) for kind, value in principal.items()}
    return {**statement, "Principal": named, **({"Condition": conditions} if conditions else {})}


def test_other_accounts_may_read_images_versions_artifacts_and_nothing_else(layout: Layout) -> None:
    others = {environment.account.id for environment in layout.config.environments} - {layout.config.toolchain.id}

    assert strangers(layout.only(REGISTRY, "AWS::ECR::Repository")["RepositoryPolicyText"]) == others
    assert strangers(layout.only(REGISTRY, "AWS::SageMaker::ModelPackageGroup").get("ModelPackageGroupPolicy")) == others
    assert strangers(key(layout, "Key")["KeyPolicy"]) == others
    assert strangers([key(layout, name)["KeyPolicy"] for name in SIGNING]) == set()
    assert strangers(artifact_policy(layout)) == others
    assert strangers(layout.all(REGISTRY, "AWS::IAM::Role")) == set()


def test_artifacts_are_read_by_endpoints_and_their_monitors_only(layouts: dict[str, Layout]) -> None:
    (two,) = [statement for statement in artifact_policy(layouts["two"]) if statement["Action"] == "s3:GetObject"]
    readers = [
        naming.execution_role(CONFIG, MODEL, STAGING),
        naming.execution_role(CONFIG, MODEL, PRODUCTION),
        naming.monitoring_role(CONFIG, MODEL, PRODUCTION),
    ]

    assert two["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [f"arn:aws:iam::{AWAY[0].id}:role/{role}" for role in readers]


def test_other_accounts_may_not_approve(three: Layout) -> None:
    policy = json.dumps(three.only(REGISTRY, "AWS::SageMaker::ModelPackageGroup")["ModelPackageGroupPolicy"])

    assert "sagemaker:CreateModel" in policy
    assert "UpdateModelPackage" not in policy


def test_what_is_create_only_of_the_group_says_nothing_that_may_change(three: Layout) -> None:
    group = three.only(REGISTRY, "AWS::SageMaker::ModelPackageGroup")

    assert group["ModelPackageGroupName"] == naming.model_package_group(CONFIG, MODEL)
    assert group["ModelPackageGroupDescription"] == f"Versions of {MODEL}"


def test_images_are_immutable_scanned_and_pulled_by_sagemaker(three: Layout) -> None:
    repository = three.only(REGISTRY, "AWS::ECR::Repository")
    (policy,) = repository["RepositoryPolicyText"]["Statement"]

    assert repository["RepositoryName"] == naming.image_repository(CONFIG, MODEL)
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert policy["Principal"]["Service"] == "sagemaker.amazonaws.com"


def test_only_untagged_images_expire(three: Layout) -> None:
    rules = json.loads(three.only(REGISTRY, "AWS::ECR::Repository")["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]

    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged"]


def test_the_road_learns_where_things_are(three: Layout) -> None:
    names = {parameter["Name"] for parameter in three.all(REGISTRY, "AWS::SSM::Parameter").values()}

    facts = ("artifacts-bucket", "data-bucket", "evidence-key", "image-repository", "key", "release-key", "training-role")
    assert names == {naming.parameter(CONFIG, MODEL, fact) for fact in facts}


def test_what_is_measured_and_what_is_decided_have_keys_that_sign_known_by_their_aliases(three: Layout) -> None:
    aliases = {
        alias["TargetKeyId"]["Fn::GetAtt"][0].rstrip("0123456789ABCDEF"): alias["AliasName"]
        for alias in three.all(REGISTRY, "AWS::KMS::Alias").values()
    }

    for name in SIGNING:
        signing = key(three, name)
        assert (signing["KeySpec"], signing["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
        assert "EnableKeyRotation" not in signing  # KMS refuses it for asymmetric keys
    assert aliases == dict(zip(SIGNING, (naming.evidence_key(CONFIG, MODEL), naming.release_key(CONFIG, MODEL)), strict=True))


def test_the_evidence_key_signs_for_the_stage_that_measures_and_nobody_else(layout: Layout) -> None:
    signing = {role for role in (*ROADS, "administrator") if not refuses(layout, "EvidenceKey", role)}

    assert signing == {naming.deploy_role(CONFIG, MODEL, STAGING)}


def test_the_release_key_signs_for_the_stage_that_decides_and_for_people(layout: Layout) -> None:
    signing = {role for role in (*ROADS, "administrator") if not refuses(layout, "ReleaseKey", role)}

    assert signing == {naming.deploy_role(CONFIG, MODEL, PRODUCTION), "administrator"}


def test_where_there_is_one_environment_its_stage_signs_with_both(tmp_path: Path) -> None:
    alone = replace(CONFIG, environments=(replace(STAGING, account=HOME),))
    model = reference.model()
    serving = {STAGING.name: model.serving[STAGING.name]}
    layout = synth(alone, [model.model_copy(update={"serving": serving})], tmp_path)
    role = naming.deploy_role(CONFIG, MODEL, STAGING)

    assert not refuses(layout, "EvidenceKey", role)
    assert not refuses(layout, "ReleaseKey", role)
    assert refuses(layout, "ReleaseKey", naming.deploy_role(CONFIG, STEADY, STAGING))


def test_buckets_have_the_names_that_policies_know(three: Layout) -> None:
    assert {bucket["BucketName"] for bucket in three.all(REGISTRY, "AWS::S3::Bucket").values()} == BUCKETS


def test_the_data_bucket_announces_what_is_put_there(three: Layout) -> None:
    buckets = three.all(REGISTRY, "AWS::S3::Bucket").values()
    announcing = [bucket["BucketName"] for bucket in buckets if "EventBridgeConfiguration" in bucket.get("NotificationConfiguration", {})]

    assert announcing == [naming.data_bucket(CONFIG, MODEL)]


def test_training_writes_no_evidence_and_no_ledger(three: Layout) -> None:
    written = [
        statement["Resource"]["Fn::Join"][1]
        for statement in three.statements(REGISTRY, naming.training_role(CONFIG, MODEL))
        if statement["Action"] == "s3:PutObject"
    ]

    assert [(bucket["Fn::GetAtt"][0][:13], objects) for bucket, objects in written] == [("ArtifactStore", f"/{naming.RUNS}/*")]


def test_training_that_may_be_interrupted_keeps_checkpoints_for_a_month(three: Layout, tmp_path: Path) -> None:
    model = reference.model()
    spot = synth(CONFIG, [model.model_copy(update={"training": model.training.model_copy(update={"spot": True})})], tmp_path)
    folder = f"{naming.CHECKPOINTS}/"

    assert rules_of(three, folder) == []
    assert rules_of(spot, folder) == [
        {"Prefix": folder, "ExpirationInDays": 30, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Status": "Enabled"}
    ]
    for action in ("s3:GetObject", "s3:PutObject"):
        (allowed,) = (s for s in spot.statements(REGISTRY, naming.training_role(CONFIG, MODEL)) if s["Action"] == action)
        assert f"/{folder}*" in json.dumps(allowed["Resource"])
    assert f"/{folder}*" not in json.dumps(three.statements(REGISTRY, naming.training_role(CONFIG, MODEL)))


def rules_of(layout: Layout, folder: str) -> list[dict[str, Any]]:
    """The rules of the artifacts bucket about a folder."""
    buckets = layout.all(REGISTRY, "AWS::S3::Bucket").values()
    (artifacts,) = (bucket for bucket in buckets if bucket["BucketName"] == naming.artifacts_bucket(CONFIG, MODEL))
    return [rule for rule in artifacts["LifecycleConfiguration"]["Rules"] if rule.get("Prefix") == folder]


def test_endpoints_read_models_and_not_the_rows_beside_them(three: Layout) -> None:
    (read,) = [s for s in artifact_policy(three) if s["Action"] == "s3:GetObject" and STAGING.account.id in json.dumps(s)]
    serving = json.dumps(three.role(naming.serving_stack(CONFIG, MODEL, STAGING), naming.execution_role(CONFIG, MODEL, STAGING)))
    bucket = naming.artifacts_bucket(CONFIG, MODEL)

    assert f"/{SERVED}" in json.dumps(read["Resource"])
    assert f"{bucket}/{SERVED}" in serving
    assert f"{bucket}/*" not in serving


def test_training_may_register_but_not_approve_or_deploy(three: Layout) -> None:
    allowed = json.dumps(three.only(REGISTRY, "AWS::IAM::Role")["Policies"])

    assert "sagemaker:CreateModelPackage" in allowed
    for forbidden in ("UpdateModelPackage", "CreateEndpoint", "UpdateEndpoint", "sts:AssumeRole"):
        assert forbidden not in allowed


def test_the_stack_is_protected_and_at_home(layout: Layout) -> None:
    manifest = json.loads((layout.folder / "manifest.json").read_text())["artifacts"]
    protected = {name for name, artifact in manifest.items() if artifact.get("properties", {}).get("terminationProtection")}

    assert protected == {naming.registry_stack(CONFIG, model) for model in (MODEL, STEADY)}
    assert {layout.account_of[stack] for stack in protected} == {HOME.id}
