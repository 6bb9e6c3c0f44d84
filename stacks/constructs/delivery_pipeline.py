"""A CodePipeline that takes one commit at a time down a list of stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct


def action(
    name: str,
    *,
    category: str,
    provider: str,
    configuration: Mapping[str, str],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    namespace: str | None = None,
    order: int = 1,
) -> dict[str, Any]:
    """One action in CloudFormation's shape. `inputs` and `outputs` are artifacts; later actions see variables as `#{namespace.…}`.

    In its stage it comes after those of a lower `order`, and beside those of the same.
    """
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": {key: value for key, value in configuration.items() if value},
        "inputArtifacts": [{"name": artifact} for artifact in inputs],
        "outputArtifacts": [{"name": artifact} for artifact in outputs],
        "namespace": namespace,
        **({"runOrder": order} if order > 1 else {}),
    }


def entered_where(variable: str, value: str) -> dict[str, Any]:
    """An entry condition in CloudFormation's shape: the stage is skipped unless a variable (`#{namespace.name}`) has a value."""
    rule = {
        "name": "Wanted",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": variable, "Value": value, "Operator": "EQ"},
    }
    return {"conditions": [{"result": "SKIP", "rules": [rule]}]}


class DeliveryPipeline(codepipeline.CfnPipeline):
    """A V2 pipeline. A stage has a `name`, `actions`, and perhaps a condition on `entry`; the first has the source:
    a push to `branch` that touches `paths`, up to three lists of up to eight patterns, starts it; without paths, none does. One that is new
    starts by itself, and so does one whose definition has changed: what was under way is cancelled then.

    It is queued: a later push never overtakes an earlier one, and an approval stays about what it was asked for. Or it `supersedes`: what
    waits for a stage gives way to what comes later, so that however many executions are started, two are left.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        pipeline_name: str,
        role: iam.IRole,
        store: s3.IBucket,
        key: kms.IKey,
        branch: str,
        paths: Sequence[Sequence[str]],
        supersedes: bool,
        stages: Sequence[Mapping[str, Any]],
    ) -> None:
        super().__init__(
            scope,
            name,
            name=pipeline_name,
            pipeline_type="V2",
            execution_mode="SUPERSEDED" if supersedes else "QUEUED",
            role_arn=role.role_arn,
            artifact_store={"type": "S3", "location": store.bucket_name, "encryptionKey": {"type": "KMS", "id": key.key_arn}},
            variables=[{"name": "cause", "defaultValue": "push", "description": "Why this execution was started"}],
            triggers=[
                {
                    "providerType": "CodeStarSourceConnection",
                    "gitConfiguration": {
                        "sourceActionName": stages[0]["actions"][0]["name"],
                        "push": [{"branches": {"includes": [branch]}, "filePaths": {"includes": list(some)}} for some in paths],
                    },
                }
            ]
            if paths
            else None,
            restart_execution_on_update=True,
            stages=[{"name": stage["name"], "actions": stage["actions"], "beforeEntry": stage.get("entry")} for stage in stages],
        )
        heard = {"config": {"ignore_checks": ["W9260"]}}  # the toolchain's stack has the rule that tells of every pipeline's failure
        self.cfn_options.metadata = {"cfn-lint": heard}
