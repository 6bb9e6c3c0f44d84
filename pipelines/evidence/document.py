"""What is written down about a candidate, about the decision and about each deployment: documents, typed, with one form of bytes.

A signature is over bytes, so a document has exactly one: `canonical`. What nobody expected is refused, by the field's name.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paved_runtime.spec import HEADLINES, TaskName

LONGEST = 1024  # characters of an approval's description in the registry

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", description="UTC")]
S3Uri = Annotated[str, Field(pattern=r"^s3://[^/]+/.+$")]
ImageUri = Annotated[str, Field(pattern=r"^.+@sha256:[0-9a-f]{64}$")]
PackageArn = Annotated[str, Field(pattern=r"^arn:[^:]+:sagemaker:[^:]+:\d{12}:model-package/[^/]+/\d+$")]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]


def _is_none(value: object) -> bool:
    """What older evidence does not have is left out, so that its bytes stay what was signed."""
    return value is None


def _version() -> Any:
    return Field(default=None, exclude_if=_is_none, description="of the object in S3; older evidence has none")


class DocumentError(ValueError):
    """A document that is not what its schema says; one line that names the field."""


class Document(BaseModel):
    """A document with fields that are known beforehand, and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class Verdict(Document):
    """One gate's answer about one subject. `passed` is null where the figure is reported, not judged, and `advice` then says why; or, where
    there is a `threshold`, left to a person, and `advice` says what to look at.
    """

    gate: Text
    subject: str
    passed: bool | None
    found: int | float | str | None
    comparison: Literal["<=", ">=", "==", ""]
    threshold: int | float | str | None
    advice: str

    @property
    def asked(self) -> bool:
        """Whether it is left to a person."""
        return self.passed is None and bool(self.comparison)

    def line(self) -> str:
        """The verdict as a sentence for a person."""
        accepted = f", accepted is {self.comparison} {self.threshold}" if self.comparison else ""
        return f"{self.gate}: {self.subject}: found {self.found}{accepted}: {self.advice}"


class Metric(Document):
    """One figure measured on the held-out rows, and the ends of its 95 % interval; older evidence has none."""

    value: float
    low: float | None = Field(default=None, exclude_if=_is_none)
    high: float | None = Field(default=None, exclude_if=_is_none)


class Difference(Document):
    """Challenger minus champion: the estimate, and the bounds of its bootstrap interval."""

    value: float
    low: float
    high: float
    confidence: float


class ScoreShift(Document):
    """Percentiles of the held-out rows' scores, challenger minus champion."""

    p10: float
    p50: float
    p90: float


class Champion(Document):
    """The version in production, as it was compared with; `why` when it was not, or when that must be taken with care."""

    model_package_arn: PackageArn
    metrics: dict[str, float | None]
    compared: bool
    why: str
    trained_rows: Count | None = Field(
        default=None, exclude_if=_is_none, description="held-out rows left out, as it was trained on them; null if it does not know"
    )
    difference: Difference | None
    score_shift: ScoreShift | None


class SplitRows(Document):
    """How many rows each part of the data set has."""

    train: Count
    holdout: Count


class Framework(Document):
    """What a model was learnt with: its name in `model.toml`, and the version of its library."""

    name: Text
    version: Text


class Reasons(Document):
    """How scores are explained; of sampled reasons, the mean and the largest standard error over held-out rows, in log-odds, or of a
    regression in standard deviations of the scores.
    """

    method: Literal["exact", "sampled", "none"]
    mean_error: float | None
    largest_error: float | None


class LookedUpRows(Document):
    """How many rows of a data set had a record in a feature group on their day."""

    with_record: Count
    without_record: Count


class Features(Document):
    """Where the columns came from that a model looks up in a feature group: its records in `offline_store` that were written until then.

    `ingestions` has the number of records by the ingestion that put them.
    """

    feature_group: Text
    offline_store: Text
    key: Text
    columns: list[Text]
    until: Text
    records: Count
    newest_event: Text | None
    ingestions: dict[Text, Count]
    rows: LookedUpRows


class Range(Document):
    """The ends of what a number may be."""

    minimum: float
    maximum: float


class Trial(Document):
    """One trial of a search: the hyperparameters that were tried, and what the objective came to; null where it came to nothing."""

    job: Text
    status: Text
    hyperparameters: dict[str, str]
    objective: float | None
    reason: str


class Search(Document):
    """How hyperparameters were searched for, and every trial in the order in which they began. `best` is the job of the one that won.

    `objective` was measured on a part of the training rows. `strategy` is the one that SageMaker says it took.
    """

    tuning_job: Text
    strategy: Text
    objective: Text
    goal: Literal["Maximize", "Minimize"]
    best: Text
    trials: list[Trial]


class Evaluation(Document):
    """What the candidate is worth on rows it never saw: `evaluation.json` of its artifact."""

    version: Literal[1]
    model: Text
    task: TaskName | None = Field(default=None, exclude_if=_is_none, description="older evidence, all of two outcomes, has none")
    classes: list[Text] | None = Field(default=None, exclude_if=_is_none, description="of a multi-class model, in the order of its scores")
    target: Range | None = Field(default=None, exclude_if=_is_none, description="of a regression: the accepted range, in its own unit")
    commit: CommitId
    data_sha256: Sha256
    image_uri: ImageUri
    runtime: Text | None = Field(default=None, exclude_if=_is_none, description="the version of paved-runtime; older evidence has none")
    framework: Framework | None = Field(default=None, exclude_if=_is_none, description="older evidence, all of XGBoost, has none")
    reasons: Reasons | None = Field(default=None, exclude_if=_is_none, description="older evidence, whose reasons are exact, has none")
    hyperparameters: dict[str, int | float | str] | None = Field(
        default=None, exclude_if=_is_none, description="that it was trained with; older evidence has none"
    )
    features: dict[Text, Features] | None = Field(
        default=None, exclude_if=_is_none, description="by feature group, of a model that looks something up"
    )
    metrics: dict[str, Metric]
    rows: SplitRows
    champion: Champion | None
    gates: list[Verdict]
    gates_failed: Count

    @property
    def judged_as(self) -> TaskName:
        """The model's task."""
        return self.task or "binary"

    @property
    def headline(self) -> Metric | None:
        """The metric that floors are of; None where nothing was measured."""
        return self.metrics.get(HEADLINES[self.judged_as])


class Parity(Document):
    """Held-out rows asked again of the live endpoint, and the largest difference to the scores of evaluation."""

    rows: Count
    largest_difference: float


class Load(Document):
    """What the live endpoint did at the declared rate; latencies in milliseconds, seen by the caller."""

    requests: Count
    seconds: float
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: Count
    error_rate: float


class Batch(Parity):
    """Held-out rows scored as a batch, and the largest difference to the scores of evaluation; `execution` is the batch pipeline's."""

    execution: Text


class Staging(Document):
    """What the live endpoint of the first environment showed. `memory_mb` is of the container's process."""

    endpoint: Text
    endpoint_config: Text
    model: Text
    instances: Count = Field(description="of the endpoint; 0 where it is serverless")
    model_package_arn: PackageArn
    model_sha256: Text | None = Field(
        default=None, exclude_if=_is_none, description="of the model, as its container told it; older evidence has none"
    )
    golden_requests: Count
    largest_difference: float
    bad_requests_refused: Count
    parity: Parity
    load: Load
    load_at_start: Load | None = Field(
        default=None,
        exclude_if=_is_none,
        description="of a serverless endpoint: as many requests at once as the load can need, as its containers started",
    )
    memory_mb: float
    batch: Batch | None = Field(default=None, exclude_if=_is_none, description="of an environment that has batches")
    gates: list[Verdict]


class Commit(Document):
    """The commit that was delivered, as the repository's provider tells of it."""

    id: CommitId
    author: Text
    date: str
    message: str


class Delivery(Document):
    """The execution of the road that made the candidate, and what started it."""

    pipeline: Text
    execution: Text
    cause: str


class Training(Document):
    """The run of the training pipeline, and the digest of the definition it ran."""

    execution_arn: Text
    definition_sha256: Sha256
    inputs_sha256: Sha256 | None = Field(
        default=None, exclude_if=_is_none, description="of all that training depends on; null where that is not known"
    )


class Reuse(Document):
    """The version that was trained, where this delivery trained nothing: what training depends on was the same, by its digest."""

    model_package_arn: PackageArn
    commit: CommitId
    inputs_sha256: Sha256


class Data(Document):
    """The data set as training read it."""

    uri: S3Uri
    sha256: Sha256
    version: str | None = _version()
    rows: SplitRows


class Ingestion(Document):
    """What an ingestion has made records of a feature group of, as its manifest says.

    `source` are the digests of the files; `sql_sha256` and `group_sha256` those of the group's features.sql and group.toml. `commit` ends
    with `+` where the tree had changes that no commit has, and is null where there was none.
    """

    source: list[Sha256]
    sql_sha256: Sha256
    group_sha256: Sha256
    commit: Text | None


class Image(Document):
    """The one image that trained, evaluated and serves, and what is in it."""

    uri: ImageUri
    digest: Digest
    sbom_sha256: Sha256
    components: Count


class File(Document):
    """An object in S3 and the digest of its bytes."""

    uri: S3Uri
    sha256: Sha256
    version: str | None = _version()


class Approval(Document):
    """Who let the candidate through. `evidence_sha256` is the digest of the `evidence.json` that they were shown."""

    status: Literal["Approved"]
    by: Text
    time: Time
    reason: Text
    execution: Text
    evidence_sha256: Sha256


class ApprovalRecord(Approval):
    """The decision as a document of its own, and what it is about: `approval.json`. `evidence.json` stays as it was shown."""

    version: Literal[1]
    model_package_arn: PackageArn
    commit: CommitId


class Evidence(Document):
    """Everything that a decision about one candidate rests on: `evidence.json`.

    `approval` is null in the file, whatever was decided, and put there from `approval.json` for who reads both. Packs of 0.1.0 hold it.
    """

    version: Literal[1]
    model: Text
    purpose: Text
    owner: Text
    model_package_arn: PackageArn
    created: Time
    commit: Commit
    delivery: Delivery
    training: Training
    reuse: Reuse | None = Field(default=None, exclude_if=_is_none, description="what this delivery goes on with; null where it trained")
    search: Search | None = Field(default=None, exclude_if=_is_none, description="where hyperparameters were searched for")
    data: Data
    ingestions: dict[Text, dict[Text, Ingestion]] | None = Field(
        default=None, exclude_if=_is_none, description="by feature group, those of `evaluation.features`; null where nothing is looked up"
    )
    image: Image
    artifact: File
    report: File
    evaluation: Evaluation
    staging: Staging
    approval: Approval | None

    @property
    def trained_commit(self) -> str:
        """The commit that the model was trained at, which is the delivered one unless nothing was trained."""
        return self.reuse.commit if self.reuse else self.commit.id

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every verdict, of evaluation and of staging."""
        return (*self.evaluation.gates, *self.staging.gates)


class LedgerEntry(Document):
    """What happened to the traffic of an environment at `time`, as the ledger keeps it.

    `action`: a version is `deploying`, so it may answer from now on; it was `deployed`, and verified; it was `taken back`, so the version
    before answers; its stage has failed and yet it answers, alone (`unproven`) or beside the version before (`mixed`); or a version was
    brought back, `rolled back` to.
    `evidence_sha256` is the digest that was approved, `shown_sha256` of the evidence; null where evidence is made after the deployment.
    Of a rollback, `approved_by` is who rolled back and `reason` why, `rolled_back_from` the version that was left; of a version that did
    not hold, `reason` is why not. `number` counts an environment's entries, and `previous_sha256` is the digest of the one before:
    entries of 0.1.0 have neither.
    """

    version: Literal[1]
    number: Annotated[int, Field(ge=1)] | None = Field(default=None, exclude_if=_is_none)
    previous_sha256: Sha256 | None = Field(default=None, exclude_if=_is_none)
    action: Literal["deploying", "deployed", "taken back", "unproven", "mixed", "rolled back"]
    model: Text
    environment: Text
    time: Time
    execution: Text
    model_package_arn: PackageArn
    evidence_sha256: Sha256 | None
    commit: CommitId
    data_sha256: Sha256
    image_uri: ImageUri
    endpoint: Text
    endpoint_config: str
    approved_by: str
    reason: str
    rolled_back_from: PackageArn | None = None

    @property
    def serves(self) -> bool:
        """Whether it tells of a version that was good when it took all traffic."""
        return self.action in ("deployed", "rolled back")


Kind = TypeVar("Kind", bound=Document)


def canonical(document: Document) -> bytes:
    """The document's one form: sorted keys, an indent of one, a newline at the end."""
    content = document.model_dump(mode="json")
    return (json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def utc(moment: datetime) -> str:
    """A moment as documents write it: `2026-11-21T07:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def without_approval(evidence: Evidence) -> Evidence:
    """The evidence as it was before anybody decided."""
    return evidence.model_copy(update={"approval": None})


def with_approval(evidence: Evidence, approval: Approval) -> Evidence:
    """Evidence and decision as one, for who reads both."""
    decision = Approval(**{name: getattr(approval, name) for name in Approval.model_fields})
    return evidence.model_copy(update={"approval": decision})


def shown_sha256(evidence: Evidence) -> str:
    """The digest of `evidence.json` as the approver is shown it: without an approval."""
    return sha256(canonical(without_approval(evidence)))


def approval_sentence(evidence: Evidence) -> str:
    """The approval as the registry keeps it: one line, as long as the registry allows; nothing without an approval."""
    approval = evidence.approval
    if approval is None:
        return ""
    about = f"commit {evidence.commit.id} in execution {approval.execution}, evidence sha256 {approval.evidence_sha256}"
    return f"{approval.status} by {approval.by} at {approval.time} for {about}. Reason: {approval.reason}"[:LONGEST]


def load_evidence(content: bytes) -> Evidence:
    """Read `evidence.json`.

    Raises:
        DocumentError: naming the field.
    """
    return parse(Evidence, content, "evidence.json")


def load_approval(content: bytes) -> ApprovalRecord:
    """Read `approval.json`.

    Raises:
        DocumentError: naming the field.
    """
    return parse(ApprovalRecord, content, "approval.json")


def load_entry(content: bytes) -> LedgerEntry:
    """Read an entry of the ledger.

    Raises:
        DocumentError: naming the field.
    """
    return parse(LedgerEntry, content, "ledger entry")


def parse(kind: type[Kind], content: bytes | dict[str, Any], name: str) -> Kind:
    """Read one document, of JSON or of what JSON holds; `name` is what errors call it.

    Raises:
        DocumentError: naming the field.
    """
    try:
        return kind.model_validate_json(content) if isinstance(content, bytes) else kind.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_problem(one) for one in error.errors())
        raise DocumentError(" ".join(f"{name}: {problems}".split())) from error


def read_json(content: bytes, name: str) -> dict[str, Any]:
    """Read a JSON object that has no schema here; `name` is what errors call it.

    Raises:
        DocumentError: it is something else.
    """
    try:
        loaded = json.loads(content)
    except ValueError as error:
        raise DocumentError(f"{name}: not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise DocumentError(f"{name}: not a JSON object")
    return loaded


def schema(kind: type[Document] = Evidence) -> str:
    """The JSON schema of a document, as docs/evidence.schema.json and docs/approval.schema.json publish it."""
    return json.dumps(kind.model_json_schema(), indent=1, sort_keys=True) + "\n"


def _problem(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "(whole file)"
    found = "" if error["type"] in ("missing", "json_invalid") else f"found {str(error['input'])[:80]!r}: "
    return f"{field}: {found}{error['msg']}"


if __name__ == "__main__":
    documents: dict[str, type[Document]] = {"evidence": Evidence, "approval": ApprovalRecord}
    sys.stdout.write(schema(documents[sys.argv[1]]))
