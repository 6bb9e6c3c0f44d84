"""What a person sees before saying yes: the version that waits, its evidence, and whether that is what the request is about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from cli import evidence, workshop
from cli.executions import Execution
from cli.problem import Problem
from cli.target import Target
from model_code.spec import ModelSpec
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, Evidence

SIGNED = "valid"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The facts about one candidate. `doubt` says why its evidence cannot be relied on; it is empty when it can.

    `metrics` maps each floor of `model.toml` to what was measured and what had to be reached.
    """

    model: str
    execution: str
    commit: str
    said: str
    model_package_arn: str
    registry_status: str
    evidence_uri: str
    evidence_sha256: str
    evidence: Evidence | None
    metrics: dict[str, dict[str, float]]
    doubt: str
    history: str

    def must_be_sound(self) -> None:
        """Raises Problem when nobody should say yes to this."""
        if self.doubt:
            raise Problem(
                f"evidence of {self.model_package_arn}", self.doubt, f"reject it, or find out: ./road evidence {self.model} --verify"
            )

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        found = self.evidence.model_dump(mode="json") if self.evidence else None
        return {**{name: value for name, value in vars(self).items() if name != "evidence"}, "evidence": found}

    def view(self) -> Table:
        """For a person."""
        known = evidence.summary(self.evidence) if self.evidence else {"model package": self.model_package_arn, "commit": self.commit}
        version = pack.group_and_version(self.model_package_arn)[1]
        return evidence.table(
            {
                **known,
                "evidence": self.evidence_uri,
                "signature": self.doubt or SIGNED,
                "page": f"./road evidence {self.model} --version {version}",
                "status": self.registry_status,
                "before this": self.history,
                "execution": self.execution,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """The facts about one change of the infrastructure."""

    execution: str
    commit: str
    said: str
    history: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def view(self) -> Table:
        """For a person."""
        return evidence.table({"commit": f"{self.commit}  {self.said}".strip(), "before this": self.history, "execution": self.execution})


def change(execution: Execution) -> Change:
    """What is known of an execution of the platform's road."""
    return Change(execution=execution.id, commit=execution.commit, said=execution.said, history=_history(execution))


def gather(aws: Target, model: ModelSpec, execution: Execution) -> Candidate:
    """The candidate of an execution that has registered a model package. Raises Problem when it has not."""
    arn = execution.variables.get("Train.MODEL_PACKAGE_ARN")
    if not arn:
        raise Problem(f"execution {execution.id}", "it has registered no model package", f"./road logs {model.name} --stage Train")
    package = aws.client("sagemaker").describe_model_package(ModelPackageName=arn)
    uri, digest = (_exported(execution, name) for name in ("EVIDENCE_URI", "EVIDENCE_SHA256"))
    found, doubt = _evidence(aws, model, arn, uri, digest)
    return Candidate(
        model=model.name,
        execution=execution.id,
        commit=found.commit.id if found else execution.commit,
        said=execution.said,
        model_package_arn=arn,
        registry_status=package["ModelApprovalStatus"],
        evidence_uri=uri,
        evidence_sha256=digest,
        evidence=found,
        metrics=_floors(model, found),
        doubt=doubt,
        history=_history(execution),
    )


def _evidence(aws: Target, model: ModelSpec, arn: str, uri: str, digest: str) -> tuple[Evidence | None, str]:
    """The evidence that the request names, and why it cannot be relied on."""
    if not uri:
        return None, "the execution has made no evidence"
    s3 = aws.client("s3")
    content = pack.read(s3, uri)
    if content is None:
        return None, f"nothing lies at {uri}"
    try:
        found = document.load_evidence(content)
    except DocumentError as error:
        return None, str(error)
    if found.model_package_arn != arn:
        return None, f"it is about {found.model_package_arn}, not about {arn}"
    if not pack.signed(s3, workshop.signer(aws, model.name), uri, content):
        return found, "not valid: the evidence was changed after it was signed"
    if (shown := document.shown_sha256(found)) != digest:
        return found, f"valid, but the request is about evidence {digest}, and this is {shown}"
    return found, ""


def _floors(model: ModelSpec, found: Evidence | None) -> dict[str, dict[str, float]]:
    """The figures that `model.toml` gives an absolute bound."""
    bounds = {name: bound for name, bound in model.gates.model_dump().items() if isinstance(bound, float)}
    measured = found.evaluation.metrics if found else {}
    return {name: {"value": measured[name].value, "gate": bound} for name, bound in bounds.items() if name in measured}


def _exported(execution: Execution, name: str) -> str:
    return next((value for key, value in execution.variables.items() if key.endswith(f".{name}")), "")


def _history(execution: Execution) -> str:
    return ", ".join(f"{s.name} {s.status} in {s.seconds:.0f} s" for s in execution.stages[1:] if s.seconds and not s.waiting)
