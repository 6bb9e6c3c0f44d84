"""Has the ledger say what happens to traffic while it happens: that a version may answer from now on, and what became of it.

Whatever becomes of a stage, no version ever answers without an entry: the first is written before traffic can move, and a stage that fails
asks the endpoint what serves, and says that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.deployment import ledger, readback
from pipelines.deployment.approval import evidence_of
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live import Live, live
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What is told of one version in one place, by one execution: nothing where the place keeps no ledger.

    Raises:
        DeploymentError: the place keeps one, and it is not said which execution this is.
    """

    place: Place
    version: Package
    execution: str

    def __post_init__(self) -> None:
        if self.place.releases and not self.execution:
            raise DeploymentError(f"{self.place.environment.name} keeps a ledger, which names executions: name this one: --execution ID")

    def deploying(self) -> None:
        """Say that the version may answer from now on. A stage that is run again after it has succeeded moves nothing, and says nothing."""
        if not self.place.releases:
            return
        known = ledger.entries(self.place.registry, self.place.environment.name)
        if not known or (known[-1].execution, known[-1].action) != (self.execution, "deployed"):
            self._record("deploying", "")

    @contextmanager
    def outcome(self) -> Iterator[None]:
        """Where the block fails, say whether the version answers all the same.

        Raises:
            DeploymentError: the block did; where the ledger could not be told, that is said, too.
        """
        try:
            yield
        except DeploymentError as error:
            try:
                self._failed(str(error))
            except DeploymentError as silence:
                raise DeploymentError(f"{error}; and the ledger could not be told: {silence}") from error
            raise

    def _failed(self, why: str) -> None:
        if not self.place.releases:
            return
        known = ledger.entries(self.place.registry, self.place.environment.name)
        if known and known[-1].rolled_back_from == self.version.arn:
            return  # who brought another version back has said so
        serving = live(self.place.sagemaker, self.place.endpoint)
        self._record(self._outcome(serving), why, serving.endpoint_config if serving else "")

    def _outcome(self, serving: Live | None) -> str:
        """What became of the version, by what answers now."""
        if serving and serving.mixed:
            return "mixed"
        return "unproven" if serving and readback.made_of(serving.container, self.version) else "taken back"

    def _record(self, action: str, why: str, endpoint_config: str = "") -> None:
        registry, version = self.place.registry, self.version
        proven = pack.read(registry.s3, pack.evidence_uri(registry.artifacts, version.arn)) is not None
        evidence = evidence_of(registry, version.arn) if proven else None
        approval = evidence.approval if evidence else None
        told: dict[str, Any] = {
            "version": 1,
            "action": action,
            "model": registry.model.name,
            "environment": self.place.environment.name,
            "time": document.utc(datetime.now(UTC)),
            "execution": self.execution,
            "model_package_arn": version.arn,
            "evidence_sha256": document.shown_sha256(evidence) if evidence else None,
            "commit": version.metadata.get("commit"),
            "data_sha256": version.metadata.get("data_sha256"),
            "image_uri": version.image,
            "endpoint": self.place.endpoint,
            "endpoint_config": endpoint_config,
            "approved_by": approval.by if approval else "",
            "reason": why or (approval.reason if approval else ""),
        }
        ledger.record(registry, document.parse(LedgerEntry, told, "ledger entry"))
