"""Environment variables of a project that lie elsewhere: read as its role, kept out of the log, and told where there are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.testing.names import Name
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

INDEX = "https://jo:pw@packages"  # pragma: allowlist secret
READS = ["secretsmanager:GetSecretValue", "ssm:GetParameter"]


def log_of_build(cloud: Running, name: str, variable: dict[str, str], *, allows: list[str]) -> tuple[str, str]:
    """(status, log) of a build that prints the variable INDEX."""
    codebuild = cloud.client("codebuild")
    role = cloud.role(name, trusts={"Service": "codebuild.amazonaws.com"}, allows=[{"Action": allows, "Resource": "*"}])
    spec = {"version": 0.2, "phases": {"build": {"commands": ["echo at $INDEX", "echo ${#INDEX} characters"]}}}
    machine = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}
    codebuild.create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": json.dumps(spec)},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={**machine, "environmentVariables": [{"name": "INDEX", **variable}]},
        serviceRole=role,
    )
    build_id = codebuild.start_build(projectName=name)["build"]["id"]

    def complete() -> dict[str, Any] | None:
        build: dict[str, Any] = codebuild.batch_get_builds(ids=[build_id])["builds"][0]
        return build if build["buildComplete"] else None

    done = until(complete)
    where = {"logGroupName": done["logs"]["groupName"], "logStreamName": done["logs"]["streamName"]}
    events = cloud.client("logs").get_log_events(**where, startFromHead=True)["events"]
    return done["buildStatus"], "\n".join(event["message"] for event in events)


@pytest.mark.parametrize(("text", "key"), [(INDEX, ""), (json.dumps({"index": INDEX}), ":index")], ids=["whole", "key"])
def test_a_secret_reaches_the_build_and_not_its_log(cloud: Running, name: Name, text: str, key: str) -> None:
    arn = cloud.client("secretsmanager").create_secret(Name=name("index"), SecretString=text)["ARN"]

    status, log = log_of_build(cloud, name("project"), {"type": "SECRETS_MANAGER", "value": f"{arn}{key}"}, allows=READS)

    assert status == "SUCCEEDED", log
    assert "at ***" in log
    assert f"{len(INDEX)} characters" in log
    assert "jo:pw" not in log


def test_a_secret_that_is_not_there_fails_the_build(cloud: Running, name: Name) -> None:
    status, log = log_of_build(cloud, name("project"), {"type": "SECRETS_MANAGER", "value": name("none")}, allows=READS)

    assert status == "FAILED"
    assert f"Secrets Manager says of {name('none')}: Secrets Manager can't find the specified secret" in log


def test_a_role_that_may_not_read_it_fails_the_build(cloud: Running, name: Name) -> None:
    arn = cloud.client("secretsmanager").create_secret(Name=name("index"), SecretString="https://packages")["ARN"]

    status, log = log_of_build(cloud, name("project"), {"type": "SECRETS_MANAGER", "value": arn}, allows=["ssm:GetParameter"])

    assert status == "FAILED"
    assert "is not authorized to perform: secretsmanager:GetSecretValue" in log


def test_a_parameter_is_read_too(cloud: Running, name: Name) -> None:
    parameter = f"/{name('index')}"
    cloud.client("ssm").put_parameter(Name=parameter, Value="https://packages", Type="SecureString")

    status, log = log_of_build(cloud, name("project"), {"type": "PARAMETER_STORE", "value": parameter}, allows=READS)

    assert (status, "at ***" in log) == ("SUCCEEDED", True)
