"""The rules of composite alarms."""

from __future__ import annotations

import pytest
from moto.cloudwatch.exceptions import ValidationError

from localcloud.cloudwatch.alarm_rules import Rule
from localcloud.cloudwatch.alarm_states import ALARM, OK, UNKNOWN

pytestmark = pytest.mark.laptop("rules are read by functions")


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(one)", True),
        ('ALARM("two") OR OK(arn:aws:cloudwatch:eu-west-1:1:alarm:two)', True),
        ("ALARM(one) AND NOT (ALARM('two') OR INSUFFICIENT_DATA(three))", False),
        ("NOT INSUFFICIENT_DATA(two) AND TRUE", True),
        ("FALSE OR ALARM(two)", False),
    ],
)
def test_rules_of_composite_alarms(rule: str, holds: bool) -> None:
    assert Rule(rule).holds({"one": ALARM, "two": OK, "three": UNKNOWN}.get) is holds


@pytest.mark.parametrize("rule", ["ALARM(one) XOR ALARM(two)", "one", "ALARM(one) AND", "__import__('os')"])
def test_rules_that_cannot_be_read_are_refused(rule: str) -> None:
    with pytest.raises(ValidationError, match="cannot be read"):
        Rule(rule)
