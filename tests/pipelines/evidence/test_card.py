"""A model card that SageMaker takes: its schema is AWS's, field by field, and nothing that does not fit is sent."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipelines.evidence import card
from pipelines.evidence.document import Evidence, shown_sha256
from tests.support import sample
from tests.support.world import World

LEFT_OUT = {"BarChartMetric", "LinearGraphMetric", "MatrixMetric", "ContainersItem", "InferenceSpecification", "RiskRating", "Function"}
NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
SETTINGS = {"rounds": "300", "eta": "0.1"}


def content(evidence: Evidence, report: dict[str, Any] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(card.content(evidence, report or sample.report(), SETTINGS))
    return made


def limits(field: FieldInfo) -> dict[str, Any]:
    """The length and pattern of a field, wherever its annotation carries them."""
    text = " ".join(repr(part) for part in (field.metadata, field.annotation))
    lengths = sorted(
        {int(found) for found in re.findall(r"max_length=(\d+)", text)} | {int(n) for n in re.findall(r"MaxLen\(max_length=(\d+)\)", text)}
    )
    patterns = {found.strip("^$") for found in re.findall(r"pattern='([^']+)'", text)}
    return {"lengths": lengths, "patterns": patterns}


def test_the_schema_is_the_sdks() -> None:
    """Every class of the SDK's card has its twin, with the same fields; limits are the SDK's or, where it has none, AWS's."""
    from sagemaker.core.shapes import model_card_shapes as sdk  # seconds: here and nowhere else

    theirs = {name: kind for name, kind in inspect.getmembers(sdk, inspect.isclass) if kind.__module__ == sdk.__name__}
    assert "ModelCardContent" in theirs
    for name in set(theirs) - LEFT_OUT:
        kind, ours = theirs[name], getattr(card, name)
        assert issubclass(kind, BaseModel)
        assert set(ours.model_fields) == set(kind.model_fields), name
        for field, stated in kind.model_fields.items():
            wanted, found = limits(stated), limits(ours.model_fields[field])
            assert set(wanted["lengths"]) <= set(found["lengths"]), f"{name}.{field}"
            assert wanted["patterns"] in ({*()}, found["patterns"], {".{0,255}"}), f"{name}.{field}"
            assert ours.model_fields[field].is_required() >= stated.is_required(), f"{name}.{field}"


def test_a_card_names_the_stores_of_what_is_looked_up() -> None:
    evidence = sample.looked_up()
    datasets = content(evidence)["training_details"]["training_job_details"]["training_datasets"]

    assert datasets == [evidence.data.uri, *["s3://features/offline/accounts"] * 2]


def test_a_card_has_the_facts_of_the_evidence() -> None:
    evidence = sample.evidence()
    made = content(evidence)
    holdout, live = made["evaluation_details"]
    groups = {group["name"]: {one["name"]: one["value"] for one in group["metric_data"]} for group in holdout["metric_groups"]}
    job = made["training_details"]["training_job_details"]

    assert made["model_overview"]["model_artifact"] == [evidence.artifact.uri]
    assert made["model_overview"]["algorithm_type"] == "xgboost 3.2.0"
    assert made["intended_uses"] == {"purpose_of_model": evidence.purpose, "risk_rating": "Unknown"}
    assert job["training_datasets"] == [evidence.data.uri]
    assert job["training_environment"] == {"container_image": [evidence.image.uri]}
    assert job["user_provided_hyper_parameters"] == [{"name": "eta", "value": "0.1"}, {"name": "rounds", "value": "300"}]
    assert groups["metrics"]["roc_auc"] == evidence.evaluation.metrics["roc_auc"].value
    assert holdout["metric_groups"][0]["metric_data"][0]["notes"] == "95 % interval: 0.809 (0.794\N{EN DASH}0.825)"
    assert groups["gates"]["floor: ROC AUC"] == "passed"
    assert groups["slices"]["job unknown: rows"] == sample.slices()[11]["rows"]
    assert groups["fairness"]["marital married: selection_rate_ratio"] == sample.fairness()["groups"][1]["selection_rate_ratio"]
    assert {one["name"]: one["value"] for one in live["metric_groups"][0]["metric_data"]}["p99_ms"] == 12.85
    assert made["additional_information"]["custom_details"]["evidence_sha256"] == shown_sha256(evidence)
    assert "marital" in made["additional_information"]["ethical_considerations"]
    assert "reported" in made["additional_information"]["caveats_and_recommendations"].lower()


def test_a_card_says_how_scores_are_explained() -> None:
    reasons = {"method": "sampled", "mean_error": 0.0123, "largest_error": 0.0456}
    made = content(sample.evidence(evaluation={**sample.content()["evaluation"], "reasons": reasons}))
    said = made["additional_information"]["caveats_and_recommendations"]

    assert said.startswith(
        "Reasons of scores are sampled: their standard errors are 0.0123 on average and 0.0456 at most, in log-odds. Rep"
    )


def test_a_card_tells_who_approved_and_of_no_fairness() -> None:
    made = content(sample.approved(), {**sample.report(), "fairness": None})
    details = made["additional_information"]["custom_details"]

    assert details["approval_by"].endswith("ruth")
    assert details["approval_status"] == "Approved"
    assert "not measured" in made["additional_information"]["ethical_considerations"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"model_overview": {"model_owners": "ada"}},
        {"evaluation_details": [{"name": "x" * 64}]},
        {"evaluation_details": [{"evaluation_observation": "no name"}]},
        {"intended_uses": {"risk_rating": "Tiny"}},
        {"additional_information": {"custom_details": {"commit": "x" * 1025}}},
        {"training_details": {"training_job_details": {"training_datasets": ["s3://b/k"] * 16}}},
        {"opinions": "good"},
    ],
)
def test_what_the_schema_does_not_know_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        card.ModelCardContent.model_validate(wrong)


def test_long_texts_and_many_groups_still_fit() -> None:
    evidence = sample.evidence(purpose="long " * 1000, commit={**sample.content()["commit"], "author": "a" * 3000})
    row = {**sample.slices()[0], "group": "g" * 400}
    report = {**sample.report(), "slices": [row] * 500, "fairness": {"threshold": 0.3, "groups": [sample.fairness()["groups"][0]] * 500}}
    gates = [{**sample.gates()[0], "subject": "s" * 400, "advice": "a" * 3000}] * 300
    evidence = evidence.model_copy(
        update={"evaluation": sample.evidence(evaluation={**sample.content()["evaluation"], "gates": gates}).evaluation}
    )
    text = card.content(evidence, report, {f"setting_{n}" * 40: "v" * 1000 for n in range(200)})

    assert len(text) <= 100_000
    assert "\n" not in text


def test_a_card_that_cannot_fit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="the model card does not fit into 1000 characters"):
        card.content(sample.evidence(), sample.report(), SETTINGS, longest=1000)


def test_names_fit_and_differ() -> None:
    arns = [f"{sample.ARN.rpartition('/')[0]}/{group}/{version}" for group in ("g", "a" * 62 + "b", "a" * 63) for version in (1, 12345)]
    names = [card.name(arn) for arn in arns]

    assert names[0] == "g-1"
    assert all(re.fullmatch(NAME, name) for name in names)
    assert len(set(names)) == len(names)


def test_a_card_is_made_once_and_gets_a_version_for_each_change(staged: World) -> None:
    before = sample.evidence(model_package_arn=staged.arn, staging={**sample.staging(), "model_package_arn": staged.arn})
    after = sample.approved(model_package_arn=staged.arn, staging={**sample.staging(), "model_package_arn": staged.arn})
    for evidence in (before, before, after, after):
        card.put(staged.sagemaker, evidence, card.content(evidence, sample.report(), SETTINGS), staged.key)
    versions = staged.sagemaker.list_model_card_versions(ModelCardName=card.name(staged.arn))["ModelCardVersionSummaryList"]

    assert sorted((version["ModelCardVersion"], version["ModelCardStatus"]) for version in versions) == [
        (1, "PendingReview"),
        (2, "Approved"),
    ]
    assert staged.card["SecurityConfig"] == {"KmsKeyId": staged.key}
    assert json.loads(staged.card["Content"]) == content(after)
