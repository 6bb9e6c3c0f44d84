"""What a person should see before saying yes: the version, where it comes from, what was measured, how staging went."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.executions import Execution
from cli.problem import Problem
from model_code.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The facts about one candidate. `metrics` maps each gate's name to what was measured and the floor it had to reach."""

    model: str
    execution: str
    commit: str
    said: str
    model_package_arn: str
    registry_status: str
    image_uri: str
    data_uri: str
    data_sha256: str
    metrics: dict[str, dict[str, float]]
    history: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def view(self) -> Table:
        """For a person."""
        commit = f"{self.commit}  {self.said}".strip()
        rows = {"model package": self.model_package_arn, "status": self.registry_status, "commit": commit, "image": self.image_uri}
        rows |= {"data": self.data_uri, "data sha256": self.data_sha256}
        rows |= {name: f"{m['value']:.6f}, gate {m['gate']}" for name, m in self.metrics.items()}
        return _table({**rows, "before this": self.history, "execution": self.execution})


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
        return _table({"commit": f"{self.commit}  {self.said}".strip(), "before this": self.history, "execution": self.execution})


def change(execution: Execution) -> Change:
    """What is known of an execution of the platform's road."""
    return Change(execution=execution.id, commit=execution.commit, said=execution.said, history=_history(execution))


def gather(sagemaker: Any, model: ModelSpec, execution: Execution) -> Evidence:
    """The evidence of an execution that has registered a model package. Raises Problem when it has not."""
    facts = execution.variables
    arn = facts.get("Train.MODEL_PACKAGE_ARN")
    if not arn:
        raise Problem(f"execution {execution.id}", "it has registered no model package", f"./road logs {model.name} --stage Train")
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    metadata = package.get("CustomerMetadataProperties", {})
    gates = model.gates.model_dump()
    return Evidence(
        model=model.name,
        execution=execution.id,
        commit=metadata.get("commit", execution.commit),
        said=execution.said,
        model_package_arn=arn,
        registry_status=package["ModelApprovalStatus"],
        image_uri=package["InferenceSpecification"]["Containers"][0]["Image"],
        data_uri=metadata.get("data_uri", "not recorded"),
        data_sha256=metadata.get("data_sha256", "not recorded"),
        metrics={name: {"value": float(metadata[name]), "gate": gate} for name, gate in gates.items() if name in metadata},
        history=_history(execution),
    )


def _history(execution: Execution) -> str:
    return ", ".join(f"{s.name} {s.status} in {s.seconds:.0f} s" for s in execution.stages[1:] if s.seconds and not s.waiting)


def _table(rows: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name, "dim"), Text(value, overflow="fold"))
    return table
