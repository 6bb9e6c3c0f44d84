"""A configuration and models that do not fit together are refused at synth, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aws_cdk import App

from app import build
from config import Account, Environment
from model_code.spec import ModelSpec, Monitoring, OffHours
from tests.stacks.conftest import configuration, models, serving


def refusal(**changes: object) -> str:
    with pytest.raises(ValueError, match=r"config\.py|model_code/") as refused:
        build(App(), replace(configuration("three"), **changes), models())  # type: ignore[arg-type]
    return str(refused.value)


def test_an_environment_the_model_does_not_know() -> None:
    added = Environment(name="canada", account=Account(id="4" * 12, region="eu-west-1"), approved_only=True)
    said = refusal(environments=(*configuration("three").environments, added))

    assert (
        "lead_scoring/model.toml: serving: found production, staging; accepted is one table for each of canada, production, staging" in said
    )


def test_another_region_than_the_images() -> None:
    staging, production = configuration("three").environments
    said = refusal(environments=(staging, replace(production, account=Account(id="3" * 12, region="us-east-1"))))

    assert said == "config.py: environment 'production': found region us-east-1; accepted is that of the images: eu-west-1"


@pytest.mark.parametrize("name", ["build", "staging"])
def test_a_name_that_is_taken(name: str) -> None:
    staging, production = configuration("three").environments

    assert f"environment {name!r}: the name is taken" in refusal(environments=(staging, replace(production, name=name)))


def test_evidence_cannot_be_made_behind_the_approval_that_needs_it() -> None:
    staging, production = configuration("three").environments
    said = refusal(environments=(replace(staging, approved_only=True), production))

    assert said == (
        "config.py: environment 'staging': found approved_only=True in the first environment;"
        " accepted is False: the evidence that an approval needs is made there"
    )


def test_a_shadow_where_nothing_is_approved() -> None:
    shadow = serving("shadow", instances=2)
    (lead, risk) = models()

    assert refused_of(lead.model_copy(update={"serving": {**lead.serving, "staging": shadow}}), risk) == (
        "model_code/lead_scoring/model.toml: serving.staging.deployment.policy: found 'shadow' where nothing is approved;"
        " accepted are the others: a shadow is made of a registered version, and SageMaker makes models of approved ones only"
    )


def test_a_time_zone_that_is_none() -> None:
    night = OffHours(start="20:00", end="06:00", timezone="Europe/Nowhere", instances=2, maximum_instances=2)
    (lead, risk) = models()
    scaled = serving("canary", instances=2, maximum_instances=6, off_hours=night)

    assert refused_of(lead.model_copy(update={"serving": {**lead.serving, "production": scaled}}), risk) == (
        "model_code/lead_scoring/model.toml: serving.production.off_hours.timezone: found 'Europe/Nowhere';"
        " accepted is a zone of the IANA database such as 'Europe/Berlin'"
    )


def test_monitoring_of_what_nobody_captures() -> None:
    (lead, risk) = models()
    unseen = lead.serving["production"].model_copy(update={"capture_percent": 0})
    changed = lead.model_copy(update={"serving": {**lead.serving, "production": unseen}, "monitoring": Monitoring()})

    assert refused_of(changed, risk) == (
        "model_code/lead_scoring/model.toml: serving.production.capture_percent: found 0; accepted is more:"
        " monitoring looks at what was captured"
    )


def refused_of(*changed: ModelSpec) -> str:
    with pytest.raises(ValueError, match="model_code/") as refused:
        build(App(), configuration("three"), changed)
    return str(refused.value)
