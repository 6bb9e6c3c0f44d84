"""Executions, actions and stages as CodePipeline's calls describe them."""

from __future__ import annotations

from typing import Any

from localcloud.codepipeline.conditions import ConditionRun, RuleRun
from localcloud.codepipeline.executions import ActionRun, Execution, StageRun
from localcloud.codepipeline.pipelines import Pipeline

Description = dict[str, Any]
Runs = list[tuple[Execution, StageRun]]


def summary(execution: Execution) -> Description:
    """A PipelineExecutionSummary, which has what a PipelineExecution has."""
    source = execution.definition["stages"][0]["actions"][0]["name"]
    variables = execution.namespaces.get("Source", {})
    commit, message = variables.get("CommitId", variables.get("VersionId", execution.commit)), variables.get("CommitMessage", "")
    revisions = [{"actionName": source, "revisionId": commit, "revisionSummary": message}] if commit else []
    return {
        "pipelineExecutionId": execution.id,
        "pipelineVersion": execution.pipeline.number,
        "status": execution.status,
        "statusSummary": execution.status_summary,
        "startTime": execution.started,
        "lastUpdateTime": execution.updated,
        "sourceRevisions": revisions,
        "artifactRevisions": [{"name": "Source", **{k: v for k, v in r.items() if k != "actionName"}} for r in revisions],
        "trigger": execution.trigger,
        "executionMode": execution.mode,
        "executionType": "STANDARD",
    }


def action(execution: Execution, run: ActionRun) -> Description:
    """An ActionExecutionDetail."""
    result: Description = {"externalExecutionId": run.external_id, "externalExecutionSummary": run.summary}
    if run.error:
        result["errorDetails"] = {"code": "JobFailed", "message": run.error}
    kind = run.action["actionTypeId"]
    return {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": run.id,
        "pipelineVersion": execution.pipeline.number,
        "stageName": run.stage,
        "actionName": run.action["name"],
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        "updatedBy": run.by,
        "status": run.status,
        "input": {"actionTypeId": kind, "configuration": run.configuration, "resolvedConfiguration": run.configuration},
        "output": {"executionResult": result, "outputVariables": run.variables},
    }


def state(pipeline: Pipeline) -> Description:
    """What GetPipelineState answers."""
    stages = [_stage(pipeline, number, stage) for number, stage in enumerate(pipeline.definition["stages"])]
    about = {"pipelineName": pipeline.name, "pipelineVersion": pipeline.version, "created": pipeline.created, "updated": pipeline.updated}
    return {**about, "stageStates": stages}


def _stage(pipeline: Pipeline, number: int, stage: Description) -> Description:
    runs = [(e, r) for e in pipeline.executions for r in e.stages if r.name == stage["name"]]
    described: Description = {"stageName": stage["name"], "actionStates": [_action_state(runs, a["name"]) for a in stage["actions"]]}
    if runs:
        execution, run = max(runs, key=lambda pair: pair[1].started)
        described["latestExecution"] = {"pipelineExecutionId": execution.id, "status": run.status}
        if run.entry:
            described["beforeEntryConditionState"] = _condition(run.entry)
    if waiting := [e for e in pipeline.under_way if e.place.waiting == number]:
        described["inboundExecutions"] = [{"pipelineExecutionId": e.id, "status": "InProgress"} for e in waiting]
        described["inboundExecution"] = described["inboundExecutions"][0]
    return described


def _condition(run: ConditionRun) -> Description:
    about = {"status": run.status, **({"summary": run.summary} if run.summary else {})}
    rules = [{"ruleName": rule.name, "latestExecution": _rule(rule, run)} for rule in run.rules]
    condition = {"latestExecution": {**about, "lastStatusChange": run.ended}, "ruleStates": rules}
    return {"latestExecution": about, "conditionStates": [condition]}


def _rule(rule: RuleRun, run: ConditionRun) -> Description:
    described: Description = {"ruleExecutionId": rule.id, "status": rule.status, "lastStatusChange": run.ended}
    if rule.error:
        return described | {"errorDetails": {"code": "RuleFailed", "message": rule.error}}
    return described | {"summary": rule.summary}


def _action_state(runs: Runs, name: str) -> Description:
    mine = [run for _, stage in runs for run in stage.actions if run.action["name"] == name]
    if not mine:
        return {"actionName": name}
    run = max(mine, key=lambda run: run.started)
    latest: Description = {
        "actionExecutionId": run.id,
        "status": run.status,
        "lastStatusChange": run.updated,
        "externalExecutionId": run.external_id,
        "summary": run.summary,
        "lastUpdatedBy": run.by,
    }
    if run.token and not run.answered.is_set():
        latest["token"] = run.token
    if run.error:
        latest["errorDetails"] = {"code": "JobFailed", "message": run.error}
    return {"actionName": name, "latestExecution": latest}
