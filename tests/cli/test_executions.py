"""Reading executions, showing them, and answering exactly the one that waits."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from cli import approve, evidence, executions, status
from cli.problem import Problem
from config import Account
from model_code import spec
from tests.cli.pipeline import ARN, STAGES, CodePipeline, Run

PIPELINE = "paved-road-lead-scoring"
MODEL = spec.load("lead_scoring")
WAITING = STAGES.index("Approval")


@dataclass
class Registry:
    """SageMaker's registry in memory."""

    updates: list[dict[str, str]] = field(default_factory=list)

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803 - botocore's own word
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {"Containers": [{"Image": "registry/image@sha256:12"}]},
            "CustomerMetadataProperties": {
                "commit": "c0ffee",
                "data_sha256": "ab",
                "data_uri": "s3://b/data/ab/data.csv",
                "roc_auc": "0.8125",
            },
        }

    def update_model_package(self, **update: str) -> None:
        self.updates.append(update)


@dataclass
class Aws:
    """What a command sees of an account."""

    codepipeline: CodePipeline
    sagemaker: Registry = field(default_factory=Registry)

    def client(self, service: str, _: Account | None = None) -> Any:
        return getattr(self, service)

    def caller(self) -> str:
        return "arn:aws:iam::111111111111:user/jo"


def shown(pipeline: CodePipeline) -> str:
    out = Console(file=io.StringIO(), width=200)
    out.print(status.view([(PIPELINE, executions.current(pipeline, PIPELINE))]))
    return str(out.file.getvalue())  # type: ignore[attr-defined]


def test_an_execution_is_read_with_its_stages_times_and_variables() -> None:
    execution = executions.one(CodePipeline([Run("a", done=3)]), PIPELINE)

    assert [stage.status for stage in execution.stages] == ["Succeeded"] * 3 + ["InProgress"] + ["NotStarted"] * 2
    assert execution.stage("train").seconds == 30
    assert execution.commit == "aaaaaaaa"
    assert execution.said == "change a; long text"
    assert execution.variables == {"Source.CommitId": "aaaaaaaa", "Train.MODEL_PACKAGE_ARN": ARN.format(1)}


def test_status_names_the_failure_and_where() -> None:
    text = shown(CodePipeline([Run("a", done=2, status="Failed", said="roc_auc is 0.61,\nunder the gate's 0.75")]))
    (line,) = (line for line in text.splitlines() if "Train" in line)
    assert "Failed" in line
    assert "roc_auc is 0.61,; under the gate's 0.75" in line


def test_status_says_what_waits_and_what_to_type() -> None:
    text = shown(CodePipeline([Run("a", done=WAITING)]))
    assert "waits for you" in text
    assert "commit aaaaaaaa: ./road approve lead_scoring --reason" in text


def test_status_before_the_first_push() -> None:
    assert "nothing was pushed yet" in shown(CodePipeline([]))


def test_status_shows_all_that_run_and_else_the_last() -> None:
    both = executions.current(CodePipeline([Run("b", done=1), Run("a", done=WAITING), Run("z", done=6)]), PIPELINE)
    assert [execution.id for execution in both] == ["b", "a"]
    ended = executions.current(CodePipeline([Run("z", done=6), Run("y", done=2, status="Failed")]), PIPELINE)
    assert [execution.id for execution in ended] == ["z"]


def test_tokens_are_not_printed() -> None:
    execution = executions.one(CodePipeline([Run("a", done=WAITING)]), PIPELINE)
    assert execution.approval is not None
    assert "token of" not in json.dumps(execution.as_dict(), default=str)


def test_a_newer_push_does_not_change_what_is_approved() -> None:
    pipeline = CodePipeline([Run("new", done=3, version=2), Run("old", done=WAITING, version=1)])
    aws = Aws(pipeline)
    execution = approve.find(pipeline, MODEL.name)
    proof = evidence.gather(aws.sagemaker, MODEL, execution)

    approve.answer(aws, execution, status="Approved", reason="good", model_package_arn=proof.model_package_arn)  # type: ignore[arg-type]

    assert proof.model_package_arn == ARN.format(1)
    answer = {"token": "token of old", "result": {"summary": "good", "status": "Approved"}}
    assert pipeline.answers == [{"pipelineName": PIPELINE, "stageName": "Approval", "actionName": "Approval", **answer}]
    assert aws.sagemaker.updates == []


def test_a_rejection_is_kept_in_the_registry_too() -> None:
    pipeline = CodePipeline([Run("a", done=WAITING)])
    aws = Aws(pipeline)

    approve.answer(aws, approve.find(pipeline, MODEL.name), status="Rejected", reason="too few", model_package_arn=ARN.format(1))  # type: ignore[arg-type]

    (update,) = aws.sagemaker.updates
    assert update["ModelApprovalStatus"] == "Rejected"
    assert update["ApprovalDescription"] == "too few (arn:aws:iam::111111111111:user/jo)"
    assert pipeline.answers[0]["result"]["status"] == "Rejected"


@pytest.mark.parametrize(
    ("runs", "chosen", "why"),
    [
        ([], None, "nothing waits for approval"),
        ([Run("a", done=6)], None, "nothing waits for approval"),
        ([Run("a", done=WAITING)], "b", "execution b: nothing waits for approval"),
        ([Run("b", done=2), Run("a", done=WAITING)], "b", "execution b: nothing waits for approval"),
    ],
)
def test_it_refuses_when_nothing_waits(runs: list[Run], chosen: str | None, why: str) -> None:
    with pytest.raises(Problem, match=why):
        approve.find(CodePipeline(runs), MODEL.name, chosen)


def test_the_evidence_shows_what_was_measured_beside_the_gate() -> None:
    proof = evidence.gather(Registry(), MODEL, executions.one(CodePipeline([Run("a", done=WAITING)]), PIPELINE))
    assert proof.metrics == {"roc_auc": {"value": 0.8125, "gate": MODEL.gates.roc_auc}}
    assert proof.history == "Build Succeeded in 30 s, Train Succeeded in 30 s, Staging Succeeded in 30 s"
    with pytest.raises(Problem, match="registered no model package"):
        evidence.gather(Registry(), MODEL, executions.one(CodePipeline([Run("a", done=2)]), PIPELINE))


def test_executions_are_found_by_the_beginning_of_their_id() -> None:
    pipeline = CodePipeline([Run("ab", done=1), Run("cd", done=6)])
    assert executions.one(pipeline, PIPELINE, "c").id == "cd"
    with pytest.raises(Problem, match="has had no such one lately"):
        executions.one(pipeline, PIPELINE, "x")
    with pytest.raises(Problem, match="stage Nowhere: pipeline paved-road-lead-scoring has Source, Build"):
        executions.one(pipeline, PIPELINE).stage("Nowhere")
