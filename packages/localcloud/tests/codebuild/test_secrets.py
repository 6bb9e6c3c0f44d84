"""Environment variables of a project that lie elsewhere: read as its role, kept out of the log, and told where there are none."""

from __future__ import annotations

import json

import pytest
from builds import build, project

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

pytestmark = pytest.mark.aws("a private index, npm registry and proxy for builds")
INDEX = "https://jo:pw@packages"  # pragma: allowlist secret
READS = ["secretsmanager:GetSecretValue", "ssm:GetParameter"]


def outcome(cloud: Accounts, name: str, variable: dict[str, str], *, allows: list[str]) -> tuple[str, str]:
    """(status, log and what the phases say) of a build that prints the variable INDEX."""
    spec = {"phases": {"build": {"commands": ["echo at $INDEX", "echo ${#INDEX} characters"]}}}
    project(cloud, name, spec, allows=[{"Action": allows, "Resource": "*"}], variables=[{"name": "INDEX", **variable}])
    done = build(cloud, name)
    return done["buildStatus"], "\n".join([*done["log"], done["said"]])


@pytest.mark.parametrize(("text", "key"), [(INDEX, ""), (json.dumps({"index": INDEX}), ":index")], ids=["whole", "key"])
def test_a_secret_reaches_the_build_and_not_its_log(cloud: Accounts, name: Name, text: str, key: str) -> None:
    arn = cloud.client("secretsmanager").create_secret(Name=name("index"), SecretString=text)["ARN"]

    status, said = outcome(cloud, name("p"), {"type": "SECRETS_MANAGER", "value": f"{arn}{key}"}, allows=READS)

    assert status == "SUCCEEDED", said
    assert "at ***" in said
    assert f"{len(INDEX)} characters" in said
    assert "jo:pw" not in said


def test_a_secret_that_is_not_there_fails_the_build(cloud: Accounts, name: Name) -> None:
    status, said = outcome(cloud, name("p"), {"type": "SECRETS_MANAGER", "value": name("none")}, allows=READS)

    assert status == "FAILED"
    assert "Secrets Manager can't find the specified secret" in said


def test_a_role_that_may_not_read_it_fails_the_build(cloud: Accounts, name: Name) -> None:
    arn = cloud.client("secretsmanager").create_secret(Name=name("index"), SecretString="https://packages")["ARN"]

    status, said = outcome(cloud, name("p"), {"type": "SECRETS_MANAGER", "value": arn}, allows=["ssm:GetParameter"])

    assert status == "FAILED"
    assert "is not authorized to perform: secretsmanager:GetSecretValue" in said


def test_a_parameter_is_read_too(cloud: Accounts, name: Name) -> None:
    parameter = f"/{name('index')}"
    cloud.client("ssm").put_parameter(Name=parameter, Value="https://packages", Type="SecureString")

    status, said = outcome(cloud, name("p"), {"type": "PARAMETER_STORE", "value": parameter}, allows=READS)

    assert (status, "at ***" in said) == ("SUCCEEDED", True)
