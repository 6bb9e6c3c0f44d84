"""What a rule wants of an event, and what its target is sent of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from localcloud.events import inputs, patterns
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts

EVENT: dict[str, Any] = {
    "version": "0",
    "id": "1",
    "detail-type": "Made",
    "source": "test",
    "account": ACCOUNT,
    "time": "2026-11-21T10:00:00Z",
    "region": REGION,
    "resources": ["arn:a"],
    "detail": {
        "name": "drift-1",
        "size": 5,
        "state": {"value": "ALARM"},
        "metrics": [{"id": "a"}, {"id": "b"}],
        "object": {"version-id": "v"},
    },
}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ({"source": ["test", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"detail": {"name": [{"prefix": "drift-"}]}}, True),
        ({"detail": {"name": [{"suffix": "-2"}]}}, False),
        ({"detail": {"name": [{"anything-but": ["drift-1"]}]}}, False),
        ({"detail": {"name": [{"anything-but": {"prefix": "x"}}]}}, True),
        ({"detail": {"name": [{"equals-ignore-case": "DRIFT-1"}]}}, True),
        ({"detail": {"name": [{"wildcard": "dr*-1"}]}}, True),
        ({"detail": {"size": [{"numeric": [">", 1, "<=", 5]}]}}, True),
        ({"detail": {"size": [{"numeric": [">", 5]}]}}, False),
        ({"detail": {"absent": [{"exists": False}]}}, True),
        ({"detail": {"name": [{"exists": False}]}}, False),
        ({"detail": {"state": {"value": ["ALARM"]}, "metrics": {"id": ["b"]}}}, True),
        ({"$or": [{"source": ["other"]}, {"detail": {"size": [5]}}]}, True),
    ],
)
@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_patterns(cloud: Accounts, pattern: dict[str, Any], wanted: bool) -> None:
    answer = cloud.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(EVENT))

    assert answer["Result"] is wanted


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
@pytest.mark.parametrize("pattern", ["{", '{"source": "test"}', '{"source": []}', '{"source": [{"soundex": "test"}]}'])
def test_patterns_that_are_none_are_refused(cloud: Accounts, pattern: str) -> None:
    with pytest.raises(ClientError, match="InvalidEventPatternException"):
        cloud.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(EVENT))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{", "not valid"),
        ('{"source": "test"}', "must be an object or an array"),
        ('{"source": []}', "Empty arrays"),
        ('{"source": [{"soundex": "test"}]}', "soundex"),
    ],
)
@pytest.mark.laptop("the words are localcloud's")
def test_patterns_that_cannot_be_compared_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(JsonRESTError, match=why):
        patterns.check(pattern)


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ({}, EVENT),
        ({"Input": '{"a": 1}'}, {"a": 1}),
        ({"InputPath": "$.detail.metrics[1].id"}, "b"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.name", "v": "$.detail.object.version-id", "no": "$.detail.no", "s": "$.detail.size"},
                    "InputTemplate": '{"cause": "drift: <n> <v><no>", "size": <s>, "name": <n>, "by": "<aws.events.rule-name>"}',
                }
            },
            {"cause": "drift: drift-1 v", "size": 5, "name": "drift-1", "by": "me"},
        ),
    ],
)
@pytest.mark.laptop("a function of localcloud; test_rules.py has the same through a queue")
def test_what_a_target_is_sent(target: dict[str, Any], sent: Any) -> None:
    inputs.check({"Id": "t", **target})

    assert json.loads(inputs.text(target, EVENT, "arn:aws:events:::rule/me")) == sent
