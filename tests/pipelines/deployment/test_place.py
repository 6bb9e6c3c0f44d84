"""A place is one model in one environment, seen with two roles there."""

from __future__ import annotations

from dataclasses import replace

import boto3
import pytest

import naming
from config import Config
from pipelines.deployment import accounts
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS
from tests.support.fakes import clients

STAGING, PRODUCTION = CONFIG.environments


def place(environment: str, config: Config = CONFIG) -> Place:
    registry = Registry(config=config, model=reference.model(), facts=FACTS, clients=clients({}))
    return Place.open(registry, environment)


def test_its_names_are_those_that_the_stacks_have() -> None:
    there = place(PRODUCTION.name)

    assert there.serving_stack == naming.serving_stack(CONFIG, MODEL, PRODUCTION)
    assert there.monitoring_stack == naming.monitoring_stack(CONFIG, MODEL, PRODUCTION)
    assert there.metric_namespace == naming.metric_namespace(CONFIG, MODEL, PRODUCTION)
    assert there.serving == reference.model().serving[PRODUCTION.name]


def test_an_environment_that_nobody_configured_is_one_line() -> None:
    with pytest.raises(DeploymentError, match=r"environment moon: config\.py has staging, production: name one of them"):
        place("moon")


def test_evidence_is_kept_where_it_is_made_asked_for_and_last() -> None:
    middle = replace(STAGING, name="canary")
    config = replace(CONFIG, environments=(STAGING, middle, replace(PRODUCTION, name="canada"), PRODUCTION))

    kept = {each.name: place(each.name, config).keeps_evidence for each in (STAGING, middle, PRODUCTION)}
    assert kept == {"staging": True, "canary": False, "production": True}
    assert [place(each.name, config).first for each in (STAGING, middle)] == [True, False]


def test_a_role_is_taken_at_the_first_call_in_its_own_account(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # nobody answers there
    sessions: list[boto3.Session] = [accounts.session(CONFIG, each.account, "verifier") for each in (STAGING, PRODUCTION)]
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    arns = [accounts.of(session)("sts").get_caller_identity()["Arn"] for session in sessions]

    assert arns == [f"arn:aws:sts::{each.account.id}:assumed-role/verifier/{CONFIG.project}-verify" for each in (STAGING, PRODUCTION)]
