"""The pipelines as CodePipeline will read them, and what each stage may do."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.stacks.conftest import Layout

TOOLCHAIN = "PavedRoad-Toolchain"


def pipeline(layout: Layout, name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [one for one in layout.all(TOOLCHAIN, "AWS::CodePipeline::Pipeline").values() if one["Name"] == name]
    return found


def actions(layout: Layout, name: str) -> dict[str, dict[str, Any]]:
    return {stage["Name"]: stage["Actions"][0] for stage in pipeline(layout, name)["Stages"]}


def allowed(layout: Layout, name: str) -> list[tuple[set[str], str, dict[str, Any]]]:
    """(actions, resources as JSON, conditions) of every statement of a role."""
    statements = role(layout, name)["Policies"][0]["PolicyDocument"]["Statement"]
    return [
        (set(one["Action"] if isinstance(one["Action"], list) else [one["Action"]]), json.dumps(one["Resource"]), one.get("Condition", {}))
        for one in statements
    ]


def writes(layout: Layout, name: str) -> set[str]:
    """What a role may put into the artifacts bucket of lead_scoring."""
    found = " ".join(resources for actions, resources, _ in allowed(layout, name) if "s3:PutObject" in actions)
    return set(re.findall(r"lead-scoring-artifacts-\d+/([^\"]+)", found))


def signs(layout: Layout, name: str) -> dict[str, str]:
    """KMS action → the alias of the keys that a role may use for it."""
    found: dict[str, str] = {}
    for actions, _, conditions in allowed(layout, name):
        if alias := conditions.get("ForAnyValue:StringLike", {}).get("kms:ResourceAliases"):
            found |= dict.fromkeys(actions, alias)
    return found


def role(layout: Layout, name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [one for one in layout.all(TOOLCHAIN, "AWS::IAM::Role").values() if one.get("RoleName") == name]
    return found


def assumed(layout: Layout, name: str) -> set[str]:
    """The account and name of every role that a stage's role may take."""
    statements = role(layout, name)["Policies"][0]["PolicyDocument"]["Statement"]
    arns = [statement["Resource"] for statement in statements if statement["Action"] == "sts:AssumeRole"]
    return set(re.findall(r"iam::(\d+:role/[\w-]+)", json.dumps(arns)))


def test_a_models_road(layout: Layout) -> None:
    made = pipeline(layout, "paved-road-lead-scoring")

    assert [stage["Name"] for stage in made["Stages"]] == ["Source", "Build", "Train", "Staging", "Approval", "Production"]
    assert (made["PipelineType"], made["ExecutionMode"]) == ("V2", "QUEUED")


def test_the_platforms_road(layout: Layout) -> None:
    assert list(actions(layout, "paved-road-platform")) == ["Source", "Check", "Update", "Staging", "Approval", "Production"]


def test_a_push_to_a_model_starts_its_pipeline_alone(three: Layout) -> None:
    (trigger,) = pipeline(three, "paved-road-credit-risk")["Triggers"]
    (push,) = trigger["GitConfiguration"]["Push"]

    assert push == {"Branches": {"Includes": ["main"]}, "FilePaths": {"Includes": ["model_code/credit_risk/**"]}}
    assert actions(three, "paved-road-credit-risk")["Source"]["Configuration"]["DetectChanges"] == "false"


def test_no_filter_has_more_patterns_than_codepipeline_takes(three: Layout) -> None:
    for one in three.all(TOOLCHAIN, "AWS::CodePipeline::Pipeline").values():
        for trigger in one.get("Triggers", []):
            assert 1 <= len(trigger["GitConfiguration"]["Push"][0]["FilePaths"]["Includes"]) <= 8


def test_every_variable_was_exported_by_an_earlier_stage(layout: Layout) -> None:
    source = {"Source.CommitId", "codepipeline.PipelineExecutionId", "variables.cause"}
    for name in ("paved-road-lead-scoring", "paved-road-platform"):
        known = set(source)
        for stage, action in actions(layout, name).items():
            assert set(re.findall(r"#\{([^}]+)\}", json.dumps(action["Configuration"]))) <= known, stage
            if action["ActionTypeId"]["Provider"] == "CodeBuild":
                spec = buildspec(layout, action)
                known |= {f"{action['Namespace']}.{name}" for name in spec.get("env", {}).get("exported-variables", [])}


def buildspec(layout: Layout, action: dict[str, Any]) -> dict[str, Any]:
    project = layout.all(TOOLCHAIN, "AWS::CodeBuild::Project")[action["Configuration"]["ProjectName"]["Ref"]]
    spec: dict[str, Any] = json.loads(project["Source"]["BuildSpec"])
    return spec


def test_both_environments_get_the_assembly_that_build_made(three: Layout) -> None:
    stages = actions(three, "paved-road-lead-scoring")

    assert stages["Build"]["OutputArtifacts"] == [{"Name": "Assembly"}]
    for stage in ("Staging", "Production"):
        assert stages[stage]["InputArtifacts"] == [{"Name": "Source"}, {"Name": "Assembly"}]
        assert "cdk synth" not in json.dumps(buildspec(three, stages[stage]))


def test_the_approval_names_what_it_approves(layout: Layout) -> None:
    asked = actions(layout, "paved-road-lead-scoring")["Approval"]["Configuration"]

    assert asked["CustomData"] == (
        "lead_scoring: commit #{Source.CommitId}, model package #{Train.MODEL_PACKAGE_ARN},"
        " evidence #{Staging.EVIDENCE_URI} sha256 #{Staging.EVIDENCE_SHA256}"
    )
    assert "Ref" in asked["NotificationArn"]


def test_no_action_is_configured_at_greater_length_than_codepipeline_takes(layout: Layout) -> None:
    for name in ("paved-road-lead-scoring", "paved-road-platform"):
        for action in actions(layout, name).values():
            assert all(len(value) <= 1000 for value in action["Configuration"].values() if isinstance(value, str))


def test_only_image_builds_are_privileged(layout: Layout) -> None:
    privileged = {project["Name"] for _, project in layout.every("AWS::CodeBuild::Project") if project["Environment"]["PrivilegedMode"]}

    assert privileged == {"paved-road-lead-scoring-build", "paved-road-credit-risk-build"}


def test_a_pipeline_may_use_the_connection_under_both_its_names(three: Layout) -> None:
    roles = json.dumps(three.all(TOOLCHAIN, "AWS::IAM::Role"))

    assert roles.count('["codeconnections:UseConnection", "codestar-connections:UseConnection"]') == 5


def test_a_stage_reaches_its_own_environment_only(three: Layout) -> None:
    assert assumed(three, "paved-road-lead-scoring-deploy-staging") == {
        "222222222222:role/cdk-hnb659fds-deploy-role-222222222222-eu-west-1",
        "222222222222:role/cdk-hnb659fds-file-publishing-role-222222222222-eu-west-1",
        "222222222222:role/paved-road-lead-scoring-staging-verifier",
    }
    assert {arn.partition(":")[0] for arn in assumed(three, "paved-road-lead-scoring-deploy-production")} == {"333333333333"}
    assert assumed(three, "paved-road-lead-scoring-build") == set()
    assert assumed(three, "paved-road-lead-scoring-train") == set()


def test_only_the_stage_behind_the_approval_may_approve(three: Layout) -> None:
    may = {
        (one["RoleName"], json.dumps(statement.get("Condition")))
        for one in three.all(TOOLCHAIN, "AWS::IAM::Role").values()
        for statement in one["Policies"][0]["PolicyDocument"]["Statement"]
        if "sagemaker:UpdateModelPackage" in json.dumps(statement["Action"])
    }
    rejects = '{"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}'

    assert may == {
        (f"paved-road-{model}-deploy-{environment}", condition)
        for model in ("lead-scoring", "credit-risk")
        for environment, condition in (("staging", rejects), ("production", "null"))
    }


def test_each_stage_writes_its_own_part_of_the_artifacts(three: Layout) -> None:
    road = "paved-road-lead-scoring"

    assert writes(three, f"{road}-build") == {"images/*/sbom.json"}
    assert writes(three, f"{road}-train") == set()
    assert writes(three, f"{road}-deploy-staging") == {"evidence/*"}
    assert writes(three, f"{road}-deploy-production") == {"evidence/*", "ledger/production/*"}
    assert writes(three, "paved-road-platform-deploy-production") == set()


def test_evidence_is_signed_where_it_is_made_and_with_the_models_own_key(three: Layout) -> None:
    road, own = "paved-road-lead-scoring", "alias/paved-road-lead-scoring-evidence"
    every = "alias/paved-road-*-evidence"

    assert signs(three, f"{road}-build") == {}
    assert signs(three, f"{road}-train") == {"kms:Verify": own}
    for stage in ("staging", "production"):
        assert signs(three, f"{road}-deploy-{stage}") == {"kms:GetPublicKey": own, "kms:Sign": own, "kms:Verify": own}
    assert signs(three, "paved-road-platform-deploy-staging") == {}
    assert signs(three, "paved-road-platform-deploy-production") == {"kms:GetPublicKey": every, "kms:Verify": every}


def test_no_stage_may_sign_with_a_key_that_it_names_itself(layout: Layout) -> None:
    for one in layout.all(TOOLCHAIN, "AWS::IAM::Role").values():
        for statement in one["Policies"][0]["PolicyDocument"]["Statement"]:
            if "kms:Sign" in json.dumps(statement["Action"]):
                assert re.fullmatch(r"alias/[\w-]+-evidence", statement["Condition"]["ForAnyValue:StringLike"]["kms:ResourceAliases"])


def test_the_platform_updates_the_toolchain_account_alone(three: Layout) -> None:
    assert {arn.partition(":")[0] for arn in assumed(three, "paved-road-platform-update")} == {"111111111111"}


def test_owners_are_asked_for_approval(three: Layout) -> None:
    assert [one["Endpoint"] for one in three.all(TOOLCHAIN, "AWS::SNS::Subscription").values()] == ["ml-platform@example.com"]


def test_the_platforms_policies_do_not_grow_with_the_models(three: Layout) -> None:
    for environment in ("staging", "production"):
        text = json.dumps(role(three, f"paved-road-platform-deploy-{environment}"))
        assert "paved-road-*" in text
        assert "lead-scoring" not in text


def test_roles_are_called_as_the_stages_outside_expect(three: Layout) -> None:
    verifier_trust = json.dumps(three.templates["PavedRoad-lead-scoring-Serving-staging"])
    for name in ("paved-road-lead-scoring-deploy-staging", "paved-road-platform-deploy-staging"):
        assert role(three, name)
        assert f"role/{name}" in verifier_trust
