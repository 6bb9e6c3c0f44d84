"""Templates that are larger than CloudFormation's quotas, or hold more, are refused; those at the limit are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import made
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation import limits
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

LOGS = {"Type": "AWS::Logs::LogGroup"}
pure = pytest.mark.laptop("limits are looked at as functions, each at its edge")
aws = pytest.mark.aws("quotas of templates")


def template(size: int, **sections: Any) -> str:
    """A template of just so many bytes."""
    text = json.dumps({"Resources": {"Logs": LOGS}, **sections})
    return text + " " * (size - len(text))


def entries(number: int, value: Any) -> dict[str, Any]:
    return {f"E{i}": value for i in range(number)}


@pure
@pytest.mark.parametrize(
    ("section", "most", "value"),
    [
        ("Resources", 500, LOGS),
        ("Parameters", 200, {"Type": "String", "Default": "a"}),
        ("Outputs", 200, {"Value": "a"}),
        ("Mappings", 200, {"A": {"B": "c"}}),
    ],
)
def test_what_a_template_holds_is_counted(section: str, most: int, value: dict[str, Any]) -> None:
    limits.require_template(template(0, **{section: entries(most, value)}))

    with pytest.raises(ValidationError) as caught:
        limits.require_template(template(0, **{section: entries(most + 1, value)}))

    words = f"Template format error: Number of {section.lower()}, {most + 1}, is greater than maximum allowed, {most}"
    assert caught.value.message == words


@pure
def test_descriptions_and_names_are_measured() -> None:
    limits.require_template(template(0, Description="ü" * 512))
    with pytest.raises(ValidationError, match="'Description' length is greater than 1024"):
        limits.require_template(template(0, Description="ü" * 513))
    limits.require_template(template(0, Resources={"R" * 255: LOGS}))
    with pytest.raises(ValidationError, match="is longer than 255 characters"):
        limits.require_template(template(0, Resources={"R" * 256: LOGS}))


@pure
def test_a_template_of_another_notation_is_counted_too() -> None:
    with pytest.raises(ValidationError, match="Number of resources, 501"):
        limits.require_template("Resources:\n" + "".join(f"  R{i}: {{Type: AWS::Logs::LogGroup}}\n" for i in range(501)))


@aws
def test_a_large_template_comes_from_a_bucket_and_a_larger_one_from_nowhere(cloud: Accounts, name: Name) -> None:
    cloudformation, s3, bucket = cloud.client("cloudformation"), cloud.client("s3"), cloud.create_bucket(name("templates"))
    for key, size in (("large", 1_000_000), ("larger", 1_000_001)):
        s3.put_object(Bucket=bucket, Key=key, Body=template(size).encode())
    change: dict[str, Any] = {"StackName": name("stack"), "ChangeSetName": "change", "ChangeSetType": "CREATE"}
    url = f"{s3.meta.endpoint_url}/{bucket}"

    cloudformation.create_change_set(**change, TemplateBody=template(51_200))
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        cloudformation.create_stack(StackName=name("other"), TemplateBody=template(51_201))
    cloudformation.create_change_set(**{**change, "ChangeSetName": "from-a-bucket"}, TemplateURL=f"{url}/large")
    with pytest.raises(ClientError, match="Template may not exceed 1000000 bytes in size"):
        cloudformation.create_change_set(**{**change, "ChangeSetName": "larger"}, TemplateURL=f"{url}/larger")

    for made_of in ("change", "from-a-bucket"):
        assert made(cloud, {"StackName": name("stack"), "ChangeSetName": made_of})["Status"] == "CREATE_COMPLETE"


def valued(cloud: Accounts, name: str, size: int) -> None:
    """A stack whose parameter has so many characters."""
    values = [{"ParameterKey": "P", "ParameterValue": "a" * size}]
    body = template(0, Parameters={"P": {"Type": "String"}})
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=body, Parameters=values)


@aws
def test_a_parameters_value_has_a_limit(cloud: Accounts, name: Name) -> None:
    valued(cloud, name("fits"), 4096)
    with pytest.raises(ClientError, match="ValidationError"):
        valued(cloud, name("longer"), 4097)


@pytest.mark.laptop("the wording is localcloud's")
def test_a_parameters_value_that_is_too_long_is_named(cloud: Accounts, name: Name) -> None:
    with pytest.raises(ClientError, match="Parameter P value length is greater than 4096"):
        valued(cloud, name("longer"), 4097)
