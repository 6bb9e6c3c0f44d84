"""What a pipeline's definition may say: what CodePipeline takes, and of that what is carried out here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.codepipeline import conditions, triggers
from localcloud.codepipeline.executions import runners
from localcloud.core import validation
from localcloud.core.errors import error, invalid

MODES = ("QUEUED", "SUPERSEDED")
STAGES, ACTIONS = 50, 50  # of a pipeline, of a stage, at most (CodePipeline User Guide, "Quotas")
REFUSED = ("blockers", "onSuccess", "onFailure")


def check(definition: Mapping[str, Any]) -> None:
    """Raise an AWS error for a definition (CreatePipeline's `pipeline`) that cannot be honoured."""
    validation.check("codepipeline", "PipelineDeclaration", definition)
    if definition.get("pipelineType") != "V2" or definition.get("executionMode", "SUPERSEDED") not in MODES:
        raise invalid("localcloud runs V2 pipelines in QUEUED and SUPERSEDED mode only")
    _check_sources(definition["stages"])
    if len(definition["stages"]) > STAGES:
        raise invalid(f"pipeline {definition['name']} has {len(definition['stages'])} stages: {STAGES} is the most")
    for stage in definition["stages"]:
        if len(stage["actions"]) > ACTIONS:
            raise invalid(f"stage {stage['name']} has {len(stage['actions'])} actions: {ACTIONS} is the most")
        if refused := [key for key in REFUSED if stage.get(key)]:
            raise invalid(f"stage {stage['name']}: localcloud does not honour {', '.join(refused)}")
        conditions.check(stage)
        for action in stage["actions"]:
            kind = action["actionTypeId"]["category"], action["actionTypeId"]["provider"]
            if kind not in runners:
                raise invalid(f"action {action['name']}: localcloud does not run {kind[0]} actions of {kind[1]}")
    triggers.check(definition)


def _check_sources(stages: Sequence[Mapping[str, Any]]) -> None:
    """Sources are in the first stage, and nothing else is: what aws-cdk-lib holds pipelines to, as CreatePipeline refuses others."""
    for number, stage in enumerate(stages):
        if any((action["actionTypeId"]["category"] == "Source") is not (number == 0) for action in stage["actions"]):
            raise error(
                "InvalidStructureException", f"stage {stage['name']}: source actions are in the first stage, and no others are there"
            )
    for action in stages[0]["actions"]:
        if action["actionTypeId"]["provider"] == "S3" and action["configuration"].get("PollForSourceChanges") != "false":
            raise invalid(f"action {action['name']}: localcloud looks for no changes in buckets: set PollForSourceChanges to false")
