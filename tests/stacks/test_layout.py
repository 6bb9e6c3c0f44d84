"""A configuration and models that do not fit together are refused at synth, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aws_cdk import App

from app import build
from config import Account, Environment
from tests.stacks.conftest import configuration, models


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
