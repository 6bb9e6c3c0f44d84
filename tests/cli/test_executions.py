"""Reading executions, showing them, and answering exactly the one that waits."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console

from cli import approve, candidate, executions, status
from cli.candidate import Candidate
from cli.problem import Problem
from config import Account
from model_code import spec
from pipelines.evidence import document, pack
from pipelines.evidence.signature import Signer
from tests.cli.fakes import S3, Kms, Ssm
from tests.cli.pipeline import ARN, STAGES, CodePipeline, Run
from tests.pipelines.evidence import sample

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
        }

    def update_model_package(self, **update: str) -> None:
        self.updates.append(update)


@dataclass
class Aws:
    """What a command sees of an account."""

    codepipeline: CodePipeline
    sagemaker: Registry = field(default_factory=Registry)
    s3: S3 = field(default_factory=S3)
    ssm: Ssm = field(default_factory=Ssm)
    kms: Kms = field(default_factory=Kms)

    def client(self, service: str, _: Account | None = None) -> Any:
        return getattr(self, service)

    def caller(self) -> str:
        return "arn:aws:iam::111111111111:user/jo"


SAMPLE = sample.evidence()
URI = pack.evidence_uri(sample.ARTIFACTS, SAMPLE.model_package_arn)
EXPORTED = {"EVIDENCE_URI": URI, "EVIDENCE_SHA256": document.shown_sha256(SAMPLE)}
SIGNER = Signer(kms=Kms(), key="key")


def asked(content: bytes = document.canonical(SAMPLE), *, signature: str = "", version: int = 7, **exported: str) -> Candidate:
    """What the approver is shown when `content` lies where the request says."""
    aws = Aws(CodePipeline([Run("a", done=WAITING, version=version, evidence={**EXPORTED, **exported})]))
    aws.s3.objects = {URI: content, f"{URI}.sig": (signature or SIGNER.sign(content)).encode()}
    return candidate.gather(aws, MODEL, approve.find(aws.codepipeline, MODEL.name))  # type: ignore[arg-type]


def shown(pipeline: CodePipeline) -> str:
    out = Console(file=io.StringIO(), width=200)
    out.print(status.view([status.Road(pipeline=PIPELINE, executions=executions.current(pipeline, PIPELINE))]))
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
    proof = candidate.gather(aws, MODEL, execution)  # type: ignore[arg-type]

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


def test_the_approver_sees_the_commit_the_package_the_verdicts_and_the_evidence() -> None:
    proof = asked()
    out = Console(file=io.StringIO(), width=200)
    out.print(proof.view())
    text = out.file.getvalue()  # type: ignore[attr-defined]

    proof.must_be_sound()
    assert proof.metrics == {
        "roc_auc": {"value": 0.809346, "gate": MODEL.gates.roc_auc},
        "calibration_error": {"value": 0.00912, "gate": MODEL.gates.calibration_error},
    }
    assert proof.history == "Build Succeeded in 30 s, Train Succeeded in 30 s, Staging Succeeded in 30 s"
    for fact in (
        sample.COMMIT,
        ARN.format(7),
        "38 passed, 0 failed, 5 reported",
        URI,
        EXPORTED["EVIDENCE_SHA256"],
        "valid",
        "PendingManualApproval",
    ):
        assert fact in text
    assert "./road evidence lead_scoring --version 7" in text
    assert json.loads(json.dumps(proof.as_dict()))["evidence"]["commit"]["id"] == sample.COMMIT


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (lambda: asked(EVIDENCE_URI=""), "the execution has made no evidence"),
        (lambda: asked(EVIDENCE_URI=f"{URI}.old"), f"nothing lies at {URI}.old"),
        (lambda: asked(b'{"version": 2}'), "evidence.json: version: "),
        (lambda: asked(signature="bm8="), "not valid: the evidence was changed after it was signed"),
        (lambda: asked(EVIDENCE_SHA256="ab" * 32), f"the request is about evidence {'ab' * 32}, and this is {EXPORTED['EVIDENCE_SHA256']}"),
        (lambda: asked(version=8), f"it is about {ARN.format(7)}, not about {ARN.format(8)}"),
    ],
)
def test_nobody_can_approve_on_evidence_that_is_not_sound(proof: Callable[[], Candidate], why: str) -> None:
    with pytest.raises(Problem) as raised:
        proof().must_be_sound()
    assert why in str(raised.value)


def test_evidence_that_was_approved_is_still_what_was_shown() -> None:
    assert asked(document.canonical(sample.approved())).doubt == ""


def test_without_a_model_package_there_is_nothing_to_show() -> None:
    pipeline = CodePipeline([Run("a", done=2)])
    with pytest.raises(Problem, match="registered no model package"):
        candidate.gather(Aws(pipeline), MODEL, executions.one(pipeline, PIPELINE))  # type: ignore[arg-type]


def test_executions_are_found_by_the_beginning_of_their_id() -> None:
    pipeline = CodePipeline([Run("ab", done=1), Run("cd", done=6)])
    assert executions.one(pipeline, PIPELINE, "c").id == "cd"
    with pytest.raises(Problem, match="has had no such one lately"):
        executions.one(pipeline, PIPELINE, "x")
    with pytest.raises(Problem, match="stage Nowhere: pipeline paved-road-lead-scoring has Source, Build"):
        executions.one(pipeline, PIPELINE).stage("Nowhere")
