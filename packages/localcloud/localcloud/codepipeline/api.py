"""CodePipeline's calls, answered from the pipelines that run."""

from __future__ import annotations

import json
from typing import Any

from moto.codepipeline.responses import CodePipelineResponse
from moto.iam.access_control import create_access_key

from localcloud.codepipeline import descriptions, pipelines
from localcloud.codepipeline.pipelines import Pipeline
from localcloud.core.errors import error
from localcloud.core.validation import check
from localcloud.events import targets


def install() -> None:
    """Put these answers in the place of moto's."""
    for operation in (
        create_pipeline,
        delete_pipeline,
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
    return pipelines.find(self.current_account, self.region, self._get_param(parameter))


def _structure(pipeline: Pipeline) -> dict[str, Any]:
    return {**pipeline.definition, "version": pipeline.version}


def create_pipeline(self: Any) -> str:
    pipeline = pipelines.create(self.current_account, self.region, self._get_param("pipeline"), by=_caller(self))
    return json.dumps({"pipeline": _structure(pipeline), "tags": self._get_param("tags", [])})


def update_pipeline(self: Any) -> str:
    return json.dumps({"pipeline": _structure(pipelines.update(self.current_account, self.region, self._get_param("pipeline")))})


def delete_pipeline(self: Any) -> str:
    pipelines.delete(self.current_account, self.region, self._get_param("name"))
    return ""


def get_pipeline(self: Any) -> str:
    pipeline = _here(self, "name")
    metadata = {"pipelineArn": pipeline.arn, "created": pipeline.created, "updated": pipeline.updated}
    return json.dumps({"pipeline": _structure(pipeline), "metadata": metadata})


def list_pipelines(self: Any) -> str:
    deployed = pipelines.deployed(self.current_account, self.region)
    return json.dumps({"pipelines": [{"name": p.name, "version": p.version, "pipelineType": "V2"} for p in deployed]})


def start_pipeline_execution(self: Any) -> str:
    variables = {v["name"]: v["value"] for v in self._get_param("variables", None) or []}
    revisions = [r["revisionValue"] for r in self._get_param("sourceRevisions", None) or []]
    execution = _here(self, "name").start(
        commit=revisions[0] if revisions else None,
        trigger={"triggerType": "StartPipelineExecution", "triggerDetail": _caller(self)},
        variables=variables,
    )
    return json.dumps({"pipelineExecutionId": execution.id})


def _started_by_event(delivery: targets.Delivery) -> None:
    """As CodePipeline documents it: `variables` and `sourceRevisions` of a target's input override, everything else is ignored."""
    account, region = targets.where(delivery.arn)
    targets.acts_as(delivery, "codepipeline:StartPipelineExecution")
    sent = json.loads(delivery.text)
    overrides = sent if isinstance(sent, dict) else {}
    pipelines.find(account, region, delivery.arn.rpartition(":")[2]).start(
        commit=next((r["revisionValue"] for r in overrides.get("sourceRevisions", [])), None),
        trigger={"triggerType": "CloudWatchEvent", "triggerDetail": delivery.by},
        variables={v["name"]: v["value"] for v in overrides.get("variables", [])},
    )


def stop_pipeline_execution(self: Any) -> str:
    execution = _here(self).execution(self._get_param("pipelineExecutionId"))
    execution.stop(self._get_param("reason", "stopped"))
    return json.dumps({"pipelineExecutionId": execution.id})


def retry_stage_execution(self: Any) -> str:
    mode = self._get_param("retryMode")
    check("codepipeline", "StageRetryMode", mode)
    pipeline = _here(self)
    execution = pipeline.execution(self._get_param("pipelineExecutionId"))
    pipeline.retry(execution, self._get_param("stageName"), all_actions=mode == "ALL_ACTIONS")
    return json.dumps({"pipelineExecutionId": execution.id})


def put_approval_result(self: Any) -> str:
    pipeline = _here(self)
    stage, action, token = (self._get_param(p) for p in ("stageName", "actionName", "token"))
    runs = [r for e in pipeline.executions for r in e.actions if (r.stage, r.action["name"]) == (stage, action) and r.token]
    if not runs:
        raise error("ActionNotFoundException", f"no approval {action} of stage {stage} has been asked for in pipeline {pipeline.name}")
    run = next((r for r in runs if r.token == token), None)
    if run is None:
        raise error("InvalidApprovalTokenException", f"the token is not that of an approval {action} of stage {stage}")
    if run.decision:
        raise error("ApprovalAlreadyCompletedException", f"approval {action} was answered before: {run.decision} by {run.by}")
    if run.answered.is_set():
        raise error(
            "InvalidApprovalTokenException", f"approval {action} of stage {stage} is not asked for any more: its execution has ended"
        )
    result = self._get_param("result")
    run.become("InProgress", decision=result["status"], by=_caller(self), summary=result["summary"])
    run.answered.set()
    return json.dumps({"approvedAt": run.updated})


def get_pipeline_execution(self: Any) -> str:
    execution = _here(self).execution(self._get_param("pipelineExecutionId"))
    variables = [{"name": k, "resolvedValue": v} for k, v in execution.namespaces["variables"].items()]
    about = {"pipelineName": execution.pipeline.name, "variables": variables}
    return json.dumps({"pipelineExecution": {**descriptions.summary(execution), **about}})


def list_pipeline_executions(self: Any) -> str:
    newest, first = _here(self).executions[::-1], int(self._get_param("nextToken") or 0)
    beyond = first + (self._get_param("maxResults") or 100)
    shown: dict[str, Any] = {"pipelineExecutionSummaries": [descriptions.summary(e) for e in newest[first:beyond]]}
    return json.dumps(shown | ({"nextToken": str(beyond)} if beyond < len(newest) else {}))


def list_action_executions(self: Any) -> str:
    execution_id = (self._get_param("filter") or {}).get("pipelineExecutionId")
    runs = [(e, r) for e in _here(self).executions for r in e.actions if execution_id in (None, e.id)]
    return json.dumps({"actionExecutionDetails": [descriptions.action(e, r) for e, r in reversed(runs)]})


def get_pipeline_state(self: Any) -> str:
    return json.dumps(descriptions.state(_here(self, "name")))


def _caller(self: Any) -> str:
    key = create_access_key(
        account_id=self.current_account, partition=self.partition, access_key_id=self.get_access_key(), headers=self.headers
    )
    return key.arn
