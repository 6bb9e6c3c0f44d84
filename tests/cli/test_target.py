"""Which model and which account are meant, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import naming
from cli import target
from cli.local import LocalCloud
from cli.problem import Problem
from cli.target import Target
from paved_runtime import spec
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.facts import put_facts

HOME, ELSEWHERE = CONFIG.toolchain, CONFIG.environments[-1].account
KEYS = {"AWS_ACCESS_KEY_ID": HOME.id, "AWS_SECRET_ACCESS_KEY": "secret"}  # moto reads such a key as the account


@pytest.fixture
def aws(server: str, tmp_path: Path) -> Target:
    """A localcloud with one account and nothing in it."""
    cloud = LocalCloud(pid=0, url=server, region=HOME.region, remote="", root=str(tmp_path), speed=1.0, accounts={HOME.id: KEYS})
    return Target(cloud=cloud)


def test_a_registry_that_is_not_deployed_is_named(aws: Target) -> None:
    stack = naming.registry_stack(CONFIG, MODEL)
    with pytest.raises(Problem, match=rf"{stack}: the model's registry is not deployed: \./road up"):
        aws.registry(reference.model())

    facts = put_facts(aws.session().client("ssm"))
    assert aws.registry(reference.model()).facts == facts


def test_an_account_that_this_cloud_lacks_is_named(aws: Target) -> None:
    with pytest.raises(Problem, match=f"account {ELSEWHERE.id}: this localcloud has {HOME.id}"):
        aws.session(ELSEWHERE)


def test_without_a_name_the_last_environment_is_meant() -> None:
    assert target.environment(None) == CONFIG.environments[-1]
    assert target.environment(CONFIG.environments[0].name) == CONFIG.environments[0]


def test_without_a_name_the_first_model_is_taken_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = spec.names()
    assert target.any_model(None) == reference.model(first)
    assert capsys.readouterr().err == f"model: {first} (the first of {', '.join([first, *others])})\n"
    assert target.any_model(MODEL) == reference.model()
    assert capsys.readouterr().err == ""


def test_the_platform_has_a_road_too() -> None:
    assert target.road(naming.PLATFORM) == naming.PLATFORM
    assert target.road(MODEL) == MODEL
    with pytest.raises(Problem, match=f"model credit: there are .*{MODEL}"):
        target.road("credit")
