"""Policies are read as IAM reads them."""

from __future__ import annotations

import json

import pytest

from localcloud.iam import policies
from localcloud.testing import ACCOUNT

pytestmark = pytest.mark.laptop("a function of localcloud that judges policies")


@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
        ({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}, "s3:GetObject", "arn:aws:s3:::b/k", True),
        ({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}, "s3:GetObject", "arn:aws:s3:::c/k", False),
        ({"Effect": "Allow", "Action": ["S3:getobject"], "Resource": ["arn:aws:s3:::b/?"]}, "s3:GetObject", "arn:aws:s3:::b/k", True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, "s3:GetObject", None, False),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, "s3:GetObject", None, False),
        ({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}, "s3:GetObject", None, True),
        ({"Effect": "Allow", "Action": "s3.GetObject", "Resource": "*"}, "s3:GetObject", None, False),
    ],
)
def test_statements_are_read_as_iam_reads_them(statement: dict[str, object], action: str, resource: str | None, allowed: bool) -> None:
    assert policies.allows([statement], action=action, resource=resource) is allowed


def test_a_deny_wins_over_an_allow() -> None:
    both = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}]

    assert policies.allows(both, action="s3:GetObject", resource=None)
    assert not policies.allows(both, action="s3:DeleteObject", resource=None)


NAMED = {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::b/*"}
OTHERS = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}


@pytest.mark.parametrize(
    ("statement", "resource", "denied"),
    [
        (NAMED, "arn:aws:s3:::b/k", True),
        (NAMED, "arn:aws:s3:::c/k", False),
        (NAMED, None, False),
        (OTHERS, "arn:aws:s3:::b/k", False),
        (OTHERS, "arn:aws:s3:::c/k", True),
        (OTHERS, None, False),
        ({**NAMED, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "arn:aws:s3:::b/k", False),
        ({**NAMED, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, "arn:aws:s3:::b/k", True),
        ({**NAMED, "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}, "arn:aws:s3:::b/k", False),
        ({**NAMED, "Condition": {"Bool": {"aws:SecureTransport": "true"}, "Null": {"aws:SourceVpce": "true"}}}, "arn:aws:s3:::b/k", False),
    ],
)
def test_a_deny_needs_to_be_known(statement: dict[str, object], resource: str | None, denied: bool) -> None:
    """Its resource, and every one of its conditions."""
    caller = f"arn:aws:iam::{ACCOUNT}:role/reader"

    assert policies.denies([statement], action="s3:GetObject", resource=resource, context=policies.known_of(caller)) is denied


def test_a_statement_is_about_everybody_but_those_it_leaves_out() -> None:
    left, other = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("kept", "other"))
    policy = {"Statement": [{"Effect": "Deny", "NotPrincipal": {"AWS": left}, "Action": "*", "Resource": "*"}]}

    assert policies.addressing(policy, left) == []
    assert len(policies.addressing(policy, other)) == 1


def test_a_condition_on_the_principal_is_judged() -> None:
    trusted = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    document = json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Condition": {"ArnEquals": {"aws:PrincipalArn": [trusted]}},
                }
            ]
        }
    )

    assert policies.trusts(document, caller=trusted)
    assert not policies.trusts(document, caller=f"arn:aws:iam::{ACCOUNT}:role/other")


KEYS = {"kms:ResourceAliases": ["alias/mine"], "kms:ViaService": [], "s3:prefix": ["ledger/production/"]}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/theirs", "alias/mine"]}}, True),
        ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/*"}}, False),
        ({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/m*"}}, True),
        ({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, False),
        ({"StringLike": {"s3:prefix": "ledger/*"}}, True),
        ({"StringLike": {"s3:prefix": "ledger/*"}, "StringEquals": {"kms:ViaService": "s3"}}, False),
        ({"StringNotEquals": {"kms:ResourceAliases": "alias/theirs"}}, True),
        ({"StringMatches": {"kms:ResourceAliases": "alias/mine"}}, False),
        ({"Bool": {"kms:GrantIsForAWSResource": "true"}}, True),
    ],
)
def test_conditions_are_judged_on_what_is_known(condition: dict[str, object], holds: bool) -> None:
    """A kind of comparison that is not known is not met; a key whose value only AWS knows is not judged."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}

    assert policies.allows([statement], action="kms:Sign", resource=None, context=KEYS) is holds
