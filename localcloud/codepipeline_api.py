"""CodePipeline's calls, answered from the pipelines that run."""

from __future__ import annotations

import json
import threading
from typing import Any

from moto.codepipeline.responses import CodePipelineResponse
from moto.iam.access_control import create_access_key

from localcloud import targets
from localcloud.codepipeline import ActionRun, Execution, Pipeline, pipeline, pipelines, put_pipeline
from localcloud.errors import error


def install() -> None:
    """Put these answers in the place of moto's."""
    for operation in (
        create_pipeline,
        get_pipeline,
        get_pipeline_execution,
        get_pipeline_state,
        list_action_executions,
        list_pipeline_executions,
        list_pipelines,
        put_approval_result,
        retry_stage_execution,
        start_pipeline_execution,
        stop_pipeline_execution,
        update_pipeline,
    ):
        setattr(CodePipelineResponse, operation.__name__, operation)
    targets.senders["codepipeline"] = _started_by_event


def _here(self: Any, parameter: str = "pipelineName") -> Pipeline:
    return pipeline(self.current_account, self.region, self._get_param(parameter))


def create_pipeline(self: Any) -> str:
    made = put_pipeline(self.current_account, self.region, self._get_param("pipeline"))
    return json.dumps({"pipeline": made.definition, "tags": self._get_param("tags", [])})


def update_pipeline(self: Any) -> str:
    return create_pipeline(self)


def get_pipeline(self: Any) -> str:
    found = _here(self, "name")
    metadata = {"pipelineArn": found.arn, "created": found.created}
    return json.dumps({"pipeline": {**found.definition, "version": found.version}, "metadata": metadata})


def list_pipelines(self: Any) -> str:
    found = pipelines(self.current_account, self.region)
    return json.dumps({"pipelines": [{"name": p.name, "version": p.version, "pipelineType": "V2"} for p in found]})


def start_pipeline_execution(self: Any) -> str:
    given = {v["name"]: v["value"] for v in self._get_param("variables", None) or []}
    revisions = [r["revisionValue"] for r in self._get_param("sourceRevisions", None) or []]
    execution = _here(self, "name").start(
        commit=revisions[0] if revisions else None,
        trigger={"triggerType": "StartPipelineExecution", "triggerDetail": _caller(self)},
        variables=given,
    )
    return json.dumps({"pipelineExecutionId": execution.id})


def _started_by_event(delivery: targets.Delivery) -> None:
    """As CodePipeline documents it: `variables` and `sourceRevisions` of a target's input override, everything else is ignored."""
    account, region = targets.where(delivery.arn)
    targets.acts_as(delivery, "codepipeline:StartPipelineExecution")
    told = json.loads(delivery.text)
    given = told if isinstance(told, dict) else {}
    pipeline(account, region, delivery.arn.rpartition(":")[2]).start(
        commit=next((r["revisionValue"] for r in given.get("sourceRevisions", [])), None),
        trigger={"triggerType": "CloudWatchEvent", "triggerDetail": delivery.by},
        variables={v["name"]: v["value"] for v in given.get("variables", [])},
    )


def stop_pipeline_execution(self: Any) -> str:
    execution = _here(self).execution(self._get_param("pipelineExecutionId"))
    execution.stop(self._get_param("reason", "stopped"))
    return json.dumps({"pipelineExecutionId": execution.id})


def retry_stage_execution(self: Any) -> str:
    """FAILED_ACTIONS and ALL_ACTIONS alike run the whole stage again: every stage of the road has one action."""
    found = _here(self)
    execution = found.execution(self._get_param("pipelineExecutionId"))
    names = [s["name"] for s in execution.definition["stages"]]
    stage = self._get_param("stageName")
    if stage not in names:
        raise error("StageNotFoundException", f"pipeline {found.name} has no stage {stage}")
    if execution.status != "Failed" or not execution.runs or execution.runs[-1].stage != stage:
        raise error("StageNotRetryableException", f"stage {stage} of execution {execution.id} did not fail last")
    threading.Thread(target=execution.run, args=(names.index(stage),), daemon=True).start()
    return json.dumps({"pipelineExecutionId": execution.id})


def put_approval_result(self: Any) -> str:
    found = _here(self)
    stage, action, token = (self._get_param(p) for p in ("stageName", "actionName", "token"))
    runs = [r for e in found.executions for r in e.runs if (r.stage, r.action["name"]) == (stage, action) and r.token]
    if not runs:
        raise error("ActionNotFoundException", f"no approval {action} of stage {stage} has been asked for in pipeline {found.name}")
    run = next((r for r in runs if r.token == token), None)
    if run is None:
        raise error("InvalidApprovalTokenException", f"the token is not that of an approval {action} of stage {stage}")
    if run.answered.is_set():
        raise error("ApprovalAlreadyCompletedException", f"approval {action} was answered before: {run.status} by {run.by}")
    result = self._get_param("result")
    run.end(result["status"], by=_caller(self), summary=result["summary"])
    run.answered.set()
    return json.dumps({"approvedAt": run.updated})


def get_pipeline_execution(self: Any) -> str:
    execution = _here(self).execution(self._get_param("pipelineExecutionId"))
    variables = [{"name": k, "resolvedValue": v} for k, v in execution.namespaces["variables"].items()]
    return json.dumps({"pipelineExecution": {**_summary(execution), "pipelineName": execution.pipeline.name, "variables": variables}})


def list_pipeline_executions(self: Any) -> str:
    newest, first = _here(self).executions[::-1], int(self._get_param("nextToken") or 0)
    beyond = first + (self._get_param("maxResults") or 100)
    shown: dict[str, Any] = {"pipelineExecutionSummaries": [_summary(e) for e in newest[first:beyond]]}
    return json.dumps(shown | ({"nextToken": str(beyond)} if beyond < len(newest) else {}))


def list_action_executions(self: Any) -> str:
    wanted = (self._get_param("filter") or {}).get("pipelineExecutionId")
    found = [(e, r) for e in _here(self).executions for r in e.runs if wanted in (None, e.id)]
    return json.dumps({"actionExecutionDetails": [_detail(e, r) for e, r in reversed(found)]})


def get_pipeline_state(self: Any) -> str:
    found = _here(self, "name")
    stages = [_stage_state(found, number, stage) for number, stage in enumerate(found.definition["stages"])]
    return json.dumps({"pipelineName": found.name, "pipelineVersion": found.version, "stageStates": stages, "created": found.created})


def _caller(self: Any) -> str:
    key = create_access_key(
        account_id=self.current_account, partition=self.partition, access_key_id=self.get_access_key(), headers=self.headers
    )
    return key.arn


def _summary(execution: Execution) -> dict[str, Any]:
    commit = execution.namespaces.get("Source", {}).get("CommitId", execution.commit)
    message = execution.namespaces.get("Source", {}).get("CommitMessage", "")
    source = execution.definition["stages"][0]["actions"][0]["name"]
    revisions = [{"actionName": source, "revisionId": commit, "revisionSummary": message}] if commit else []
    return {
        "pipelineExecutionId": execution.id,
        "pipelineVersion": execution.pipeline.version,
        "status": execution.status,
        "statusSummary": execution.stop_reason,
        "startTime": execution.started,
        "lastUpdateTime": execution.updated,
        "sourceRevisions": revisions,
        "artifactRevisions": [{"name": "Source", **{k: v for k, v in r.items() if k != "actionName"}} for r in revisions],
        "trigger": execution.trigger,
        "executionMode": execution.mode,
        "executionType": "STANDARD",
    }


def _detail(execution: Execution, run: ActionRun) -> dict[str, Any]:
    kind = run.action["actionTypeId"]
    result = {"externalExecutionId": run.external_id, "externalExecutionSummary": run.summary}
    if run.error:
        result["errorDetails"] = {"code": "JobFailed", "message": run.error}  # type: ignore[assignment]
    return {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": run.id,
        "pipelineVersion": execution.pipeline.version,
        "stageName": run.stage,
        "actionName": run.action["name"],
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        "updatedBy": run.by,
        "status": "Failed" if run.status == "Rejected" else run.status,
        "input": {"actionTypeId": kind, "configuration": run.configuration, "resolvedConfiguration": run.configuration},
        "output": {"executionResult": result, "outputVariables": run.variables},
    }


def _stage_state(found: Pipeline, number: int, stage: dict[str, Any]) -> dict[str, Any]:
    runs = [(e, r) for e in found.executions for r in e.runs if r.stage == stage["name"]]
    state: dict[str, Any] = {"stageName": stage["name"], "actionStates": [_action_state(runs, a) for a in stage["actions"]]}
    if runs:
        execution, run = runs[-1]
        status = "Failed" if run.status == "Rejected" else run.status
        state["latestExecution"] = {"pipelineExecutionId": execution.id, "status": status if status != "Abandoned" else "Stopped"}
    waiting = [e for e in found.executions if e.status == "InProgress" and e.position == number - 1 and _stage_done(e, number - 1)]
    if waiting:
        state["inboundExecutions"] = [{"pipelineExecutionId": e.id, "status": "InProgress"} for e in waiting]
        state["inboundExecution"] = state["inboundExecutions"][0]
    return state


def _stage_done(execution: Execution, number: int) -> bool:
    if number < 0:
        return True
    name = execution.definition["stages"][number]["name"]
    runs = [r for r in execution.runs if r.stage == name]
    return bool(runs) and all(r.status == "Succeeded" for r in runs)


def _action_state(runs: list[tuple[Execution, ActionRun]], action: dict[str, Any]) -> dict[str, Any]:
    mine = [(e, r) for e, r in runs if r.action["name"] == action["name"]]
    if not mine:
        return {"actionName": action["name"]}
    run = mine[-1][1]
    latest: dict[str, Any] = {
        "actionExecutionId": run.id,
        "status": "Failed" if run.status == "Rejected" else run.status,
        "lastStatusChange": run.updated,
        "externalExecutionId": run.external_id,
        "summary": run.summary,
        "lastUpdatedBy": run.by,
    }
    if run.token and not run.answered.is_set():
        latest["token"] = run.token
    if run.error:
        latest["errorDetails"] = {"code": "JobFailed", "message": run.error}
    return {"actionName": action["name"], "latestExecution": latest}
