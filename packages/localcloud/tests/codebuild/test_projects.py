"""Projects whose builds a repository's host would start are kept; nothing starts them here, and what CodeBuild does not take is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deploy, reasons

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/00000000-0000-0000-0000-000000000000"
pytestmark = pytest.mark.laptop("a repository's host is needed, and so a connection that somebody has authorised")
OPENED = {"Type": "EVENT", "Pattern": "PULL_REQUEST_CREATED,PULL_REQUEST_UPDATED"}
GROUP = [OPENED, {"Type": "BASE_REF", "Pattern": "^refs/heads/main$"}]


def template(name: str, *, source: Template | None = None, **properties: Any) -> Template:
    """A project that checks pull requests. `properties` replace its own."""
    hosted = {
        "Type": "GITHUB",
        "Location": "https://github.com/acme/x.git",
        "Auth": {"Type": "CODECONNECTIONS", "Resource": CONNECTION},
        "BuildSpec": "buildspec.yml",
        "ReportBuildStatus": True,
        "GitCloneDepth": 1,
    }
    project = {
        "Name": name,
        "ServiceRole": f"arn:aws:iam::{ACCOUNT}:role/none",
        "Source": {**hosted, **(source or {})},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_MEDIUM", "Image": "aws/codebuild/standard:7.0"},
        "Triggers": {"Webhook": True, "FilterGroups": [GROUP]},
        **properties,
    }
    return {"Resources": {"Project": {"Type": "AWS::CodeBuild::Project", "Properties": project}}}


@pytest.mark.parametrize("kind", ["GITHUB", "GITLAB", "BITBUCKET", "GITHUB_ENTERPRISE", "GITLAB_SELF_MANAGED"])
def test_a_project_for_pull_requests_is_kept_and_not_started(cloud: Accounts, kind: str) -> None:
    codebuild, name = cloud.client("codebuild"), f"pulls-{kind.lower().replace('_', '-')}"

    assert deploy(cloud, name, template(name, source={"Type": kind})) == "CREATE_COMPLETE", reasons(cloud, name)

    (kept,) = codebuild.batch_get_projects(names=[name])["projects"]
    assert kept["arn"] == f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"
    assert kept["source"]["type"] == kind
    assert kept["source"]["auth"] == {"type": "CODECONNECTIONS", "resource": CONNECTION}
    assert kept["webhook"]["filterGroups"] == [[{name.lower(): value for name, value in condition.items()} for condition in GROUP]]
    with pytest.raises(ClientError, match="are started by a host's webhook, which localcloud has not, only"):
        codebuild.start_build(projectName=name)
    assert codebuild.list_builds_for_project(projectName=name)["ids"] == []


def test_a_project_of_a_host_is_created_by_the_api(cloud: Accounts) -> None:
    created = cloud.client("codebuild").create_project(
        name="pulls-api",
        serviceRole=f"arn:aws:iam::{ACCOUNT}:role/none",
        source={"type": "GITHUB", "location": "https://github.com/acme/x.git", "auth": {"type": "CODECONNECTIONS", "resource": CONNECTION}},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
    )["project"]

    assert created["source"]["auth"]["resource"] == CONNECTION
    assert "webhook" not in created


@pytest.mark.parametrize(
    ("number", "source", "properties", "why"),
    [
        (1, {"Location": ""}, {}, "only with its location"),
        (2, {"Auth": {"Type": "OAUTH"}}, {}, "only with auth CODECONNECTIONS"),
        (3, {}, {"Artifacts": {"Type": "S3", "Location": "b"}}, "only with artifacts NO_ARTIFACTS"),
        (4, {}, {"Triggers": {"Webhook": True, "FilterGroups": [GROUP[1:]]}}, "a filter group has no filter of type EVENT"),
        (5, {}, {"Triggers": {"Webhook": True, "FilterGroups": [[{**OPENED, "Type": "BRANCH"}]]}}, "Value BRANCH at .* must be one of"),
        (
            6,
            {},
            {"Triggers": {"Webhook": True, "FilterGroups": [[{**OPENED, "Pattern": "OPENED"}]]}},
            "OPENED is no event of a source GITHUB",
        ),
        (
            7,
            {"Type": "BITBUCKET"},
            {"Triggers": {"Webhook": True, "FilterGroups": [[{**OPENED, "Pattern": "PULL_REQUEST_REOPENED"}]]}},
            "PULL_REQUEST_REOPENED is no event of a source BITBUCKET",
        ),
        (8, {"Type": "NO_SOURCE", "BuildSpec": "{version: 0.2, phases: {}}"}, {}, "a source NO_SOURCE has none"),
    ],
)
def test_what_is_not_taken_is_refused(cloud: Accounts, number: int, source: Template, properties: Template, why: str) -> None:
    name = f"odd-project-{number}"

    assert deploy(cloud, name, template(name, source=source, **properties)) == "ROLLBACK_COMPLETE"

    assert re.search(why, reasons(cloud, name))
