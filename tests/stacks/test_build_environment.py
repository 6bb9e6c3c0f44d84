"""How builds find a private index, a registry and a proxy; and that no credentials stand in config.py or reach who should not have them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import naming
from config import Builds
from stacks.build_environment import secrets, variables
from stacks.layout import check
from tests.reference import CONFIG, MODEL
from tests.support.layouts import Layout, configuration, joined, listed, models, synth

pytestmark = pytest.mark.laptop("templates alone")

HOME = CONFIG.toolchain
SECRET, USER = "firm/packages", "jo:hunter2"


def test_tools_are_told_in_their_own_words() -> None:
    builds = Builds(package_index="https://packages.acme.test/simple", npm_registry="https://npm.acme.test", proxy="http://proxy:3128")

    told = variables(builds)

    assert told["PIP_INDEX_URL"] == told["UV_DEFAULT_INDEX"] == builds.package_index
    assert told["NPM_CONFIG_REGISTRY"] == builds.npm_registry
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        assert told[name] == builds.proxy
    assert told["NO_PROXY"] == told["no_proxy"]
    assert {"localhost", "169.254.170.2", ".amazonaws.com"} <= set(told["NO_PROXY"].split(","))


def test_nothing_is_told_where_nothing_is_set() -> None:
    assert variables(Builds()) == {}
    assert secrets(Builds()) == {}


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The reference with an index that asks for credentials."""
    config = replace(configuration("one"), builds=Builds(package_index_secret=SECRET))
    return synth(config, models()[:1], tmp_path_factory.mktemp("secretive"))


def test_an_index_with_credentials_comes_out_of_secrets_manager(secretive: Layout) -> None:
    for _, project in secretive.every("AWS::CodeBuild::Project"):
        told = {each["Name"]: (each["Type"], each["Value"]) for each in project["Environment"]["EnvironmentVariables"]}
        assert told == dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("SECRETS_MANAGER", SECRET))


def test_a_builds_role_reads_that_secret_and_no_other(secretive: Layout) -> None:
    role = naming.stage_project(CONFIG, MODEL, naming.BUILD)
    statements = secretive.statements(naming.delivery_stack(CONFIG, MODEL), role)
    resources = [
        joined(each) for s in statements if "secretsmanager:GetSecretValue" in listed(s["Action"]) for each in listed(s["Resource"])
    ]

    assert resources == [f"arn:aws:secretsmanager:{HOME.region}:{HOME.id}:secret:{SECRET}-??????"]


@pytest.mark.parametrize(
    ("builds", "problem"),
    [
        (
            Builds(package_index=f"https://{USER}@packages.acme.test/"),
            "package_index: found credentials in it",
        ),
        (Builds(npm_registry="https://token@npm.acme.test/"), "npm_registry: found credentials in it"),
        (Builds(proxy=f"http://{USER}@proxy.acme.test:3128"), "proxy: found credentials in it"),
        (Builds(proxy="proxy.acme.test:3128"), "proxy: found 'proxy.acme.test:3128'; accepted is an http or https URL"),
        (Builds(package_index="https://packages.acme.test:port/"), "package_index: found 'https://packages.acme.test:port/'; accepted is"),
        (Builds(package_index="https://[packages/"), "package_index: found 'https://[packages/'; accepted is an http or https URL"),
        (Builds(proxy="http://proxy", no_proxy=("a b",)), "no_proxy: found 'a b'; accepted is a host"),
        (Builds(package_index_secret="arn:aws:x"), "package_index_secret: found 'arn:aws:x'; accepted is the name of a secret"),
        (Builds(package_index_secret=SECRET, package_index="https://a.test/"), "package_index_secret: found beside package_index"),
    ],
)
def test_what_is_wrong_is_said_and_no_password_is(builds: Builds, problem: str) -> None:
    with pytest.raises(ValueError, match=r"config\.py") as refused:
        check(replace(CONFIG, builds=builds), [])

    assert str(refused.value).startswith(f"config.py: builds: {problem}")
    assert "hunter2" not in str(refused.value)


def test_code_of_a_pull_request_does_not_get_to_see_credentials() -> None:
    with pytest.raises(ValueError, match="found with pull_requests, whose code could read it"):
        check(replace(CONFIG, builds=Builds(package_index_secret=SECRET), pull_requests=True), [])
