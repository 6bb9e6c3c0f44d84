"""What a person sees before saying yes: the version that waits, its evidence, and whether that is what the request is about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

import naming
from cli import output, packs
from cli.executions import Execution
from cli.problem import Problem
from paved_runtime.spec import ModelSpec
from pipelines.commands import Reference
from pipelines.delivery import MODEL_PACKAGE_ARN
from pipelines.deployment import compare_evidence
from pipelines.deployment.registry import Registry
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
        evidence = self.evidence.model_dump(mode="json") if self.evidence else None
        return {**{name: value for name, value in vars(self).items() if name != "evidence"}, "evidence": evidence}

    def view(self) -> Table:
        """For a person."""
        known = packs.summary(self.evidence) if self.evidence else {"model package": self.model_package_arn, "commit": self.commit}
        version = pack.group_and_version(self.model_package_arn)[1]
        return output.table(
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
        return output.table({"commit": f"{self.commit}  {self.said}".strip(), "before this": self.history, "execution": self.execution})


def change(execution: Execution) -> Change:
    """What is known of an execution of the platform's road."""
    return Change(execution=execution.id, commit=execution.commit, said=execution.said, history=_history(execution))


def gather(registry: Registry, execution: Execution) -> Candidate:
    """The candidate of an execution that has registered a model package. Raises Problem when it has not."""
    model = registry.model
    arn = execution.variable(MODEL_PACKAGE_ARN)
    if not arn:
        train = f"./road logs {model.name} --stage {naming.TRAIN}"
        raise Problem(f"execution {execution.id}", "it has registered no model package", train)
    stage = naming.stage(registry.config.environments[0])
    uri, digest = (execution.variable(Reference(stage, name)) for name in ("EVIDENCE_URI", "EVIDENCE_SHA256"))
    evidence, doubt = _evidence(registry, arn, uri, digest)
    return Candidate(
        model=model.name,
        execution=execution.id,
        commit=evidence.commit.id if evidence else execution.commit,
        said=execution.said,
        model_package_arn=arn,
        registry_status=registry.sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"],
        evidence_uri=uri,
        evidence_sha256=digest,
        evidence=evidence,
        metrics=_floors(model, evidence),
        doubt=doubt,
        history=_history(execution),
    )


def _evidence(registry: Registry, arn: str, uri: str, digest: str) -> tuple[Evidence | None, str]:
    """The evidence that the request names, and why it cannot be relied on: it, or a thing that it binds, is not what it was."""
    if not uri:
        return None, "the execution has made no evidence"
    content = pack.read(registry.s3, uri)
    if content is None:
        return None, f"nothing lies at {uri}"
    try:
        evidence = document.load_evidence(content)
    except DocumentError as error:
        return None, str(error)
    if evidence.model_package_arn != arn:
        return None, f"it is about {evidence.model_package_arn}, not about {arn}"
    if not pack.signed(registry.s3, registry.signer, uri, content):
        return evidence, "not valid: the evidence was changed after it was signed"
    if (shown := document.sha256(content)) != digest:
        return evidence, f"valid, but the request is about evidence {digest}, and this is {shown}"
    compared = compare_evidence.compare(registry, arn)
    return evidence, "; ".join(comparison.line() for comparison in compared if not comparison.matches and comparison.what != "approval")


def _floors(model: ModelSpec, evidence: Evidence | None) -> dict[str, dict[str, float]]:
    """The figures that `model.toml` gives an absolute bound."""
    bounds = {name: bound for name, bound in model.gates.model_dump().items() if isinstance(bound, float)}
    measured = evidence.evaluation.metrics if evidence else {}
    return {name: {"value": measured[name].value, "gate": bound} for name, bound in bounds.items() if name in measured}


def _history(execution: Execution) -> str:
    return ", ".join(f"{s.name} {s.status} in {s.seconds:.0f} s" for s in execution.stages[1:] if s.seconds and not s.waiting)
