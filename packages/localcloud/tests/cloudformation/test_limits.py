"""Templates that are larger than CloudFormation's quotas, or hold more, are refused; those at the limit are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation import limits
from localcloud.testing import REGION
from localcloud.testing.names import Name
from localcloud.testing.running import Running

LOGS = {"Type": "AWS::Logs::LogGroup"}


def template(size: int, **sections: Any) -> str:
    """A template of just so many bytes."""
    text = json.dumps({"Resources": {"Logs": LOGS}, **sections})
    return text + " " * (size - len(text))


def entries(number: int, value: Any) -> dict[str, Any]:
    return {f"E{i}": value for i in range(number)}


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


def test_descriptions_and_names_are_measured() -> None:
    limits.require_template(template(0, Description="ü" * 512))
    with pytest.raises(ValidationError, match="'Description' length is greater than 1024"):
        limits.require_template(template(0, Description="ü" * 513))
    limits.require_template(template(0, Resources={"R" * 255: LOGS}))
    with pytest.raises(ValidationError, match="is longer than 255 characters"):
        limits.require_template(template(0, Resources={"R" * 256: LOGS}))


def test_a_template_of_another_notation_is_counted_too() -> None:
    with pytest.raises(ValidationError, match="Number of resources, 501"):
        limits.require_template("Resources:\n" + "".join(f"  R{i}: {{Type: AWS::Logs::LogGroup}}\n" for i in range(501)))


def test_a_large_template_comes_from_a_bucket_and_a_larger_one_from_nowhere(cloud: Running, name: Name) -> None:
    cloudformation, s3, bucket = cloud.client("cloudformation"), cloud.client("s3"), name("templates")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, size in (("large", 1_000_000), ("larger", 1_000_001)):
        s3.put_object(Bucket=bucket, Key=key, Body=template(size).encode())
    change: dict[str, Any] = {"StackName": name("stack"), "ChangeSetName": "change", "ChangeSetType": "CREATE"}
    url = f"{cloud.state['url']}/{bucket}"

    cloudformation.create_change_set(**change, TemplateBody=template(51_200))
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        cloudformation.create_stack(StackName=name("other"), TemplateBody=template(51_201))
    cloudformation.create_change_set(**{**change, "ChangeSetName": "from-a-bucket"}, TemplateURL=f"{url}/large")
    with pytest.raises(ClientError, match="Template may not exceed 1000000 bytes in size"):
        cloudformation.create_change_set(**{**change, "ChangeSetName": "larger"}, TemplateURL=f"{url}/larger")


def test_a_parameters_value_has_a_limit(cloud: Running, name: Name) -> None:
    body = template(0, Parameters={"P": {"Type": "String"}})

    for size in (4096, 4097):
        call = {"StackName": name(f"s{size}"), "TemplateBody": body, "Parameters": [{"ParameterKey": "P", "ParameterValue": "a" * size}]}
        if size == 4096:
            cloud.client("cloudformation").create_stack(**call)
        else:
            with pytest.raises(ClientError, match="Parameter P value length is greater than 4096"):
                cloud.client("cloudformation").create_stack(**call)
