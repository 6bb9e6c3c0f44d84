"""Pull requests checked by CodeBuild: a switch in config.py, and a project that may do nothing but say how it went."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import naming
from localcloud.codebuild.projects import HOSTED
from stacks import layout
from tests.reference import CONFIG
from tests.support.layouts import Layout, synth

pytestmark = pytest.mark.laptop("templates alone")

HOST = "arn:aws:codeconnections:eu-central-1:100000000001:host/server/0123abcd"
PLATFORM = naming.delivery_stack(CONFIG, naming.PLATFORM)


def test_it_is_off_unless_asked_for(three: Layout) -> None:
    assert "PullRequest" not in json.dumps(three.templates[PLATFORM])


@pytest.mark.parametrize("provider", layout.SOURCES)
def test_the_readmes_two_commands_run_on_each_pull_request(provider: str, tmp_path: Path) -> None:
    own = {"host": HOST, "url": "https://git.acme.test"} if provider in layout.SELF_MANAGED else {}
    repository = replace(CONFIG.repository, provider=provider, **own)
    made = synth(replace(CONFIG, pull_requests=True, repository=repository), [], tmp_path)
    (project,) = [p for p in made.all(PLATFORM, "AWS::CodeBuild::Project").values() if p["Name"] == naming.pull_request_project(CONFIG)]
    source, host = layout.SOURCES[provider]

    assert project["Source"]["Type"] == source
    assert project["Source"]["Location"] == f"{host or 'https://git.acme.test'}/{CONFIG.repository.id}.git"
    assert project["Environment"]["ComputeType"] == "BUILD_GENERAL1_LARGE"
    assert json.loads(project["Source"]["BuildSpec"])["phases"]["build"]["commands"] == ["./road check", "./road test"]
    assert project["Triggers"]["Webhook"] is True
    ((event, base),) = project["Triggers"]["FilterGroups"]
    assert set(event["Pattern"].split(",")) <= HOSTED[source]
    assert base["Pattern"] == f"^refs/heads/{CONFIG.repository.branch}$"


def test_whose_code_runs_there_may_do_nothing_else(tmp_path: Path) -> None:
    made = synth(replace(CONFIG, pull_requests=True), [], tmp_path)
    name = naming.pull_request_project(CONFIG)
    (role,) = [r for r in made.all(PLATFORM, "AWS::IAM::Role").values() if r.get("RoleName") == name]
    actions = {
        action
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }

    assert {action.partition(":")[0] for action in actions} == {"codeconnections", "logs"}
