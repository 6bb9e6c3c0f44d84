"""The facts of the evidence as a SageMaker Model Card, for those who look for them in SageMaker.

The card's schema is AWS's; the classes below are that schema, made strict: unknown fields, long texts and wrong kinds are
refused here, before anything is sent. What only the firm can say, such as the risk rating, is left for the firm to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paved_runtime.page import interval
from paved_runtime.spec import ModelSpec
from pipelines.evidence import pack, wording
from pipelines.evidence import report as reports
from pipelines.evidence.document import DocumentError, Evaluation, Evidence, Metric, Verdict, sha256, shown_sha256
from pipelines.evidence.wording import Wording

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

LONGEST = 100_000  # characters of a card
MOST_METRICS = (100, 50, 25, 10)  # figures of a kind: the first number with which a card is not too long
NAME_LENGTH = 63
HOLDOUT = "held-out rows"
FAIRNESS = ("rows", "selection_rate_ratio", "opportunity_difference", "error_difference")  # of a group, where it has them
OF_PACKAGE = ("model_creator", "model_artifact")  # of the overview: ModelPackageModelCard's page

Line = Annotated[str, Field(max_length=63)]
Text = Annotated[str, Field(max_length=1024)]
LongText = Annotated[str, Field(max_length=2048)]
ShortName = Annotated[str, Field(pattern=r"^.{1,63}$")]
Name = Annotated[str, Field(pattern=r"^.{1,255}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class ModelOverview(_Part):
    """What the model is, and whose."""

    model_description: Text | None = None
    model_creator: Text | None = None
    model_artifact: list[Text] | None = Field(default=None, max_length=15)
    algorithm_type: Text | None = None
    problem_type: str | None = None
    model_owner: Text | None = None


class IntendedUses(_Part):
    """What the model is for."""

    purpose_of_model: LongText | None = None
    intended_uses: LongText | None = None
    factors_affecting_model_efficiency: LongText | None = None
    risk_rating: Literal["High", "Medium", "Low", "Unknown"] | None = None
    explanations_for_risk_rating: LongText | None = None


class BusinessDetails(_Part):
    """Whom it serves."""

    business_problem: LongText | None = None
    business_stakeholders: LongText | None = None
    line_of_business: LongText | None = None


class TrainingMetric(_Part):
    """A figure of training."""

    name: Name
    notes: Text | None = None
    value: float


class TrainingEnvironment(_Part):
    """What it was trained in."""

    container_image: list[Text] | None = Field(default=None, max_length=15)


class TrainingHyperParameter(_Part):
    """A setting of training."""

    name: Name
    value: Annotated[str, Field(pattern=r"^.{1,255}$")] | None = None


class TrainingJobDetails(_Part):
    """How it was trained."""

    training_arn: Text | None = None
    training_datasets: list[Text] | None = Field(default=None, max_length=15)
    training_environment: TrainingEnvironment | None = None
    training_metrics: list[TrainingMetric] | None = Field(default=None, max_length=50)
    user_provided_training_metrics: list[TrainingMetric] | None = Field(default=None, max_length=50)
    hyper_parameters: list[TrainingHyperParameter] | None = Field(default=None, max_length=100)
    user_provided_hyper_parameters: list[TrainingHyperParameter] | None = Field(default=None, max_length=100)


class ObjectiveFunction(_Part):
    """What training optimises."""

    function: Literal["Maximize", "Minimize"] | None = None
    facet: Line | None = None
    condition: Line | None = None


class TrainingDetails(_Part):
    """Training."""

    objective_function: ObjectiveFunction | None = None
    training_observations: Text | None = None
    training_job_details: TrainingJobDetails | None = None


class SimpleMetric(_Part):
    """One value. The card's graphs are left to the evidence's page, which draws them better."""

    name: Name
    notes: Text | None = None
    type: Literal["number", "string", "boolean"]
    value: float | Line | bool
    x_axis_name: Line | None = None
    y_axis_name: Line | None = None


class MetricGroupsItem(_Part):
    """Values that belong together."""

    name: ShortName
    metric_data: list[SimpleMetric]


class EvaluationDetailsItem(_Part):
    """One evaluation."""

    name: ShortName
    evaluation_observation: str | None = Field(default=None, max_length=2096)
    evaluation_job_arn: str | None = Field(default=None, max_length=256)
    datasets: list[Text] | None = Field(default=None, max_length=10)
    metadata: dict[str, Text] | None = None
    metric_groups: list[MetricGroupsItem] | None = None


class AdditionalInformation(_Part):
    """Everything else."""

    ethical_considerations: LongText | None = None
    caveats_and_recommendations: LongText | None = None
    custom_details: dict[str, Text] | None = None


class ModelCardContent(_Part):
    """A card, as `model-card.json` and SageMaker keep it."""

    model_overview: ModelOverview | None = None
    intended_uses: IntendedUses | None = None
    business_details: BusinessDetails | None = None
    training_details: TrainingDetails | None = None
    evaluation_details: list[EvaluationDetailsItem] | None = None
    additional_information: AdditionalInformation | None = None


def name(model_package_arn: str) -> str:
    """The card's name: `<group>-<version>`; where that is too long for SageMaker, the group's end gives way to a digest of it."""
    group, version = pack.group_and_version(model_package_arn)
    if len(f"{group}-{version}") <= NAME_LENGTH:
        return f"{group}-{version}"
    tail = f"-{sha256(group.encode())[:8]}-{version}"
    return group[: NAME_LENGTH - len(tail)].rstrip("-") + tail


def content(evidence: Evidence, report: Mapping[str, Any], hyperparameters: Mapping[str, Any], *, longest: int = LONGEST) -> str:
    """The card of a candidate, as one line of JSON, with as many figures as fit. `report` is report.json's content.

    Raises:
        DocumentError: the figures are of the wrong kind, or not even a few of them fit into `longest` characters.
    """
    try:
        read = reports.read(report)
        made = [_content(evidence, read, hyperparameters, most).model_dump_json(exclude_none=True) for most in MOST_METRICS]
    except (ValidationError, TypeError, KeyError) as error:
        raise DocumentError(" ".join(f"model card: report.json is not what evaluation writes: {error}".split())) from error
    if text := next((text for text in made if len(text) <= longest), None):
        return text
    raise DocumentError(f"the model card does not fit into {longest} characters, even with {MOST_METRICS[-1]} figures of a kind")


def registered(model: ModelSpec, evaluation: Evaluation, *, artifact: str, data: str) -> str:
    """The card of a version that has just been registered, in a package's smaller schema: what evaluation found, and nothing of staging."""
    groups = {
        "metrics": [_number(name, metric.value, _interval(metric)) for name, metric in evaluation.metrics.items()],
        "gates": [_verdict(verdict) for verdict in evaluation.gates],
    }
    rows = evaluation.rows
    made = ModelCardContent(
        model_overview=ModelOverview(model_creator=_cut(model.owner, 1024), model_artifact=[artifact]),
        intended_uses=IntendedUses(purpose_of_model=_cut(model.purpose, 2048), risk_rating="Unknown"),
        business_details=BusinessDetails(business_problem=_cut(model.purpose, 2048), business_stakeholders=_cut(model.owner, 2048)),
        training_details=TrainingDetails(
            training_observations=f"{rows.train} rows to train on, {rows.holdout} rows held out",
            training_job_details=TrainingJobDetails(
                training_datasets=_datasets(data, evaluation),
                training_environment=TrainingEnvironment(container_image=[evaluation.image_uri]),
            ),
        ),
        evaluation_details=[
            EvaluationDetailsItem(
                name=HOLDOUT,
                evaluation_observation=f"{evaluation.gates_failed} gates failed.",
                datasets=[data],
                metadata={"rows": str(rows.holdout), "data_sha256": evaluation.data_sha256},
                metric_groups=_groups(groups, MOST_METRICS[-1]),
            )
        ],
        additional_information=AdditionalInformation(
            custom_details={key: _cut(value, 1024) for key, value in {"commit": evaluation.commit, **_scores(evaluation)}.items()}
        ),
    )
    return made.model_dump_json(exclude_none=True)


def put_on_package(sagemaker: SageMakerClient, evidence: Evidence, text: str) -> None:
    """Have the package itself show the card that was decided upon. A package's card has a smaller schema: of the overview, two members."""
    made = json.loads(text)
    made["model_overview"] = {key: value for key, value in made["model_overview"].items() if key in OF_PACKAGE}
    shown = {"ModelCardContent": json.dumps(made, ensure_ascii=False), "ModelCardStatus": "Approved"}
    if sagemaker.describe_model_package(ModelPackageName=evidence.model_package_arn).get("ModelCard") != shown:
        sagemaker.update_model_package(ModelPackageArn=evidence.model_package_arn, ModelCard=shown)  # type: ignore[arg-type]


def put(sagemaker: SageMakerClient, evidence: Evidence, text: str, key: str) -> str:
    """Create the card, or bring it to this content and to the evidence's status; its name. Done twice, it changes nothing more."""
    card = name(evidence.model_package_arn)
    status: Literal["Approved", "PendingReview"] = "Approved" if evidence.approval else "PendingReview"
    try:
        stored = sagemaker.describe_model_card(ModelCardName=card)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFound":
            raise
        sagemaker.create_model_card(ModelCardName=card, Content=text, ModelCardStatus=status, SecurityConfig={"KmsKeyId": key})
        return card
    if json.loads(stored["Content"]) != json.loads(text):
        sagemaker.update_model_card(ModelCardName=card, Content=text)
    if stored["ModelCardStatus"] != status:
        sagemaker.update_model_card(ModelCardName=card, ModelCardStatus=status)  # SageMaker takes one of the two a call
    return card


def _content(evidence: Evidence, report: Mapping[str, Any], hyperparameters: Mapping[str, Any], most: int) -> ModelCardContent:
    return ModelCardContent(
        model_overview=ModelOverview(
            model_description=_cut(evidence.purpose, 1024),
            model_creator=_cut(evidence.commit.author, 1024),
            model_artifact=[evidence.artifact.uri],
            algorithm_type=_framework(evidence.evaluation),
            problem_type=wording.of(evidence.evaluation.task).problem,
            model_owner=_cut(evidence.owner, 1024),
        ),
        intended_uses=IntendedUses(purpose_of_model=_cut(evidence.purpose, 2048), risk_rating="Unknown"),
        business_details=BusinessDetails(business_problem=_cut(evidence.purpose, 2048), business_stakeholders=_cut(evidence.owner, 2048)),
        training_details=_training(evidence, hyperparameters),
        evaluation_details=[_holdout(evidence, report, most), _staging(evidence, most)],
        additional_information=AdditionalInformation(
            ethical_considerations=_cut(_fairness(report, wording.of(evidence.evaluation.task)), 2048),
            caveats_and_recommendations=_cut(_caveats(evidence), 2048),
            custom_details={key: _cut(value, 1024) for key, value in _details(evidence).items()},
        ),
    )


def _datasets(uri: str, evaluation: Evaluation) -> list[str]:
    """The data set, and the offline stores of what is looked up, as many as a card has room for."""
    stores = [group.offline_store for group in (evaluation.features or {}).values()]
    return [_cut(each, 1024) for each in (uri, *stores)][:15]


def _training(evidence: Evidence, hyperparameters: Mapping[str, Any]) -> TrainingDetails:
    settings = [
        TrainingHyperParameter(name=_cut(key, 100), value=_cut(str(value), 100) or None) for key, value in sorted(hyperparameters.items())
    ]
    rows = evidence.data.rows
    return TrainingDetails(
        training_observations=f"{rows.train} rows to train on, {rows.holdout} rows held out",
        training_job_details=TrainingJobDetails(
            training_arn=evidence.training.execution_arn,
            training_datasets=_datasets(evidence.data.uri, evidence.evaluation),
            training_environment=TrainingEnvironment(container_image=[evidence.image.uri]),
            user_provided_hyper_parameters=settings[:100],
        ),
    )


def _holdout(evidence: Evidence, report: Mapping[str, Any], most: int) -> EvaluationDetailsItem:
    measured = [_number(name, metric.value, _interval(metric)) for name, metric in evidence.evaluation.metrics.items()]
    groups = {
        "metrics": measured,
        "gates": [_verdict(verdict) for verdict in evidence.evaluation.gates],
        "slices": list(_slices(report["slices"])),
        "fairness": list(_figures((report["fairness"] or {}).get("groups", []), *FAIRNESS)),
    }
    return EvaluationDetailsItem(
        name=HOLDOUT,
        evaluation_observation=f"{evidence.evaluation.gates_failed} gates failed. At most {most} figures of a kind; the evidence has all.",
        datasets=[evidence.data.uri],
        metadata={"rows": str(evidence.evaluation.rows.holdout), "data_sha256": evidence.data.sha256},
        metric_groups=_groups(groups, most),
    )


def _staging(evidence: Evidence, most: int) -> EvaluationDetailsItem:
    staging = evidence.staging
    live = {
        "p50_ms": staging.load.p50_ms,
        "p95_ms": staging.load.p95_ms,
        "p99_ms": staging.load.p99_ms,
        "requests_per_second": staging.load.requests_per_second,
        "error_rate": staging.load.error_rate,
        "memory_mb": staging.memory_mb,
        "parity: largest difference": staging.parity.largest_difference,
    }
    groups = {"live": [_number(key, value) for key, value in live.items()], "gates": [_verdict(verdict) for verdict in staging.gates]}
    return EvaluationDetailsItem(name="live endpoint", metadata={"endpoint": staging.endpoint}, metric_groups=_groups(groups, most))


def _groups(groups: Mapping[str, list[SimpleMetric]], most: int) -> list[MetricGroupsItem]:
    return [MetricGroupsItem(name=title, metric_data=metrics[:most]) for title, metrics in groups.items() if metrics]


def _figures(rows: Iterable[Mapping[str, Any]], *keys: str) -> Iterator[SimpleMetric]:
    for row in rows:
        for key in keys:
            if row.get(key) is not None:
                judged = None if row.get("judged", True) else "too few rows: reported, not judged"
                yield _number(f"{row['column']} {row['group']}: {key}", row[key], notes=judged)


def _slices(rows: Iterable[Mapping[str, Any]]) -> Iterator[SimpleMetric]:
    """Each slice's figures, the headline under the name of its metric."""
    for row in rows:
        yield from _figures([{**row, row["metric"]: row["figure"]}], "rows", row["metric"], "difference")


def _number(title: str, value: float, notes: str | None = None) -> SimpleMetric:
    return SimpleMetric(name=_cut(title, 255), type="number", value=float(value), notes=notes)


def _interval(metric: Metric) -> str | None:
    return None if metric.low is None else f"95 % interval: {interval(metric.value, metric.low, metric.high)}"


def _verdict(verdict: Verdict) -> SimpleMetric:
    said = "left to a person" if verdict.asked else {True: "passed", False: "failed", None: "reported, not judged"}[verdict.passed]
    return SimpleMetric(name=_cut(f"{verdict.gate}: {verdict.subject}", 255), type="string", value=said, notes=_cut(verdict.line(), 300))


def _fairness(report: Mapping[str, Any], words: Wording) -> str:
    fairness = report["fairness"]
    if not fairness:
        return "No groups are named in gates.fairness of model.toml: fairness between groups of people was not measured."
    columns = sorted({row["column"] for row in fairness["groups"]})
    return f"Measured between the groups of {', '.join(columns)}. {words.selection(fairness)}."


def _caveats(evidence: Evidence) -> str:
    unjudged = [verdict.line() for verdict in evidence.verdicts if verdict.passed is None]
    judged = "Reported, not judged: " + "; ".join(unjudged) if unjudged else "Every gate was judged."
    reasons = evidence.evaluation.reasons
    return f"{wording.of(evidence.evaluation.task).reasons(**reasons.model_dump())} {judged}" if reasons else judged


def _framework(evaluation: Evaluation) -> str | None:
    return f"{evaluation.framework.name} {evaluation.framework.version}" if evaluation.framework else None


def _scores(evaluation: Evaluation) -> dict[str, str]:
    """What the model answers with; older evidence does not say."""
    classes, target = evaluation.classes, evaluation.target
    return {
        **({"task": evaluation.task} if evaluation.task else {}),
        **({"classes": ", ".join(classes)} if classes else {}),
        **({"target_range": f"{target.minimum:g} to {target.maximum:g}"} if target else {}),
    }


def _details(evidence: Evidence) -> dict[str, str]:
    decided = evidence.approval.model_dump() if evidence.approval else {}
    return {
        "model_package_arn": evidence.model_package_arn,
        **_scores(evidence.evaluation),
        "commit": evidence.commit.id,
        **({"trained_as": evidence.reuse.model_package_arn, "trained_at_commit": evidence.reuse.commit} if evidence.reuse else {}),
        "evidence_sha256": shown_sha256(evidence),
        "delivery_execution": evidence.delivery.execution,
        "pipeline_definition_sha256": evidence.training.definition_sha256,
        "data_sha256": evidence.data.sha256,
        "image_digest": evidence.image.digest,
        "bill_of_materials_sha256": evidence.image.sbom_sha256,
        "model_artifact_sha256": evidence.artifact.sha256,
        "report_sha256": evidence.report.sha256,
        **{f"approval_{key}": str(value) for key, value in decided.items() if key != "evidence_sha256"},
    }


def _cut(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
