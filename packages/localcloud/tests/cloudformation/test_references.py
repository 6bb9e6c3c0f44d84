"""References are seen wherever they stand, and decide the order."""

from __future__ import annotations

import pytest
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation.references import in_order, references

pytestmark = pytest.mark.laptop("references are looked for by functions")


def test_references_are_seen_wherever_they_stand() -> None:
    value = {
        "A": [{"Ref": "R"}, {"Fn::GetAtt": ["G", "Arn"]}],
        "B": {"Fn::Sub": ["${S.Arn}-${!Not}-${V}", {"V": {"Ref": "W"}}]},
        "DependsOn": "D",
    }

    assert set(references(value)) == {"R", "G", "S", "V", "W", "D"}


def test_resources_come_after_what_they_refer_to() -> None:
    resources = {"A": {"x": {"Ref": "B"}}, "B": {"DependsOn": ["C"]}, "C": {}}

    assert in_order(resources) == ["C", "B", "A"]


def test_a_circle_of_references_is_an_error() -> None:
    with pytest.raises(ValidationError) as caught:
        in_order({"A": {"x": {"Ref": "B"}}, "B": {"x": {"Ref": "A"}}})
    assert "Circular dependency" in str(caught.value)
