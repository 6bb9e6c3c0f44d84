"""CloudFormation takes every template: a change set of each is made, which costs nothing, and is not executed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.testing.accounts import Accounts
from localcloud.testing.waiting import until
from tests.reference import CONFIG
from tests.support.layouts import Layout

pytestmark = pytest.mark.aws("properties of every resource of a stack")
OF_CDK = ("BootstrapVersion", "CheckBootstrapVersion")  # asks whether the account is bootstrapped, which is not what is tried here
STORED = "AWS::SSM::Parameter::Value<String>"


def without_bootstrap(template: dict[str, Any]) -> dict[str, Any]:
    kept = {
        section: {k: v for k, v in content.items() if k not in OF_CDK} for section, content in template.items() if isinstance(content, dict)
    }
    return {section: content for section, content in kept.items() if content}


def value(ssm: Any, name: str, parameter: dict[str, Any]) -> dict[str, str]:
    """A value that the parameter allows; one that is stored is stored first."""
    if parameter["Type"] == STORED:
        ssm.put_parameter(Name=parameter["Default"], Value="x", Type="String", Overwrite=True)
        return {"ParameterKey": name, "ParameterValue": parameter["Default"]}
    return {"ParameterKey": name, "ParameterValue": str(parameter.get("Default", parameter.get("AllowedValues", ["1"])[0]))}


@pytest.fixture
def bucket(accounts: Accounts) -> str:
    """Where templates are read from, which are too large for a request."""
    home = CONFIG.toolchain
    return accounts.create_bucket(f"{CONFIG.project}-templates-{home.id}", home.id)


def test_cloudformation_takes_every_template(three: Layout, accounts: Accounts, bucket: str) -> None:
    refused: dict[str, str] = {}
    for stack, template in three.templates.items():
        account = three.account_of[stack]
        own, ssm = without_bootstrap(template), accounts.client("ssm", account)
        wanted = [value(ssm, name, parameter) for name, parameter in own.get("Parameters", {}).items()]
        s3 = accounts.client("s3", CONFIG.toolchain.id)
        s3.put_object(Bucket=bucket, Key=f"{stack}.json", Body=json.dumps(own).encode())
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": f"{stack}.json"})
        refused |= judged(accounts.client("cloudformation", account), stack, url, wanted)

    assert refused == {}


def judged(cloudformation: Any, stack: str, url: str, parameters: list[dict[str, str]]) -> dict[str, str]:
    """Why CloudFormation does not take a template; nothing where it does."""
    where = {"StackName": stack, "ChangeSetName": "judged"}
    capabilities = ["CAPABILITY_NAMED_IAM"]
    cloudformation.create_change_set(**where, ChangeSetType="CREATE", TemplateURL=url, Parameters=parameters, Capabilities=capabilities)

    def ended() -> Any:
        described = cloudformation.describe_change_set(**where)
        return described if described["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    described = until(ended)
    return {} if described["Status"] == "CREATE_COMPLETE" else {stack: described["StatusReason"]}
