"""Conditions are judged as IAM's guide says (IAM JSON policy elements: condition operators; multivalued context keys)."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.iam.conditions import hold

pytestmark = pytest.mark.laptop("a function of localcloud that judges conditions")

ROLE = "arn:aws:iam::123456789012:role/attest"
KNOWN = {
    "aws:PrincipalArn": [ROLE],
    "aws:SecureTransport": ["true"],
    "aws:TagKeys": ["team", "cost"],
    "s3:object-lock-remaining-retention-days": ["30"],
    "s3:if-none-match": [],
    "sagemaker:ModelApprovalStatus": ["Approved"],
}


@pytest.mark.parametrize(
    ("operator", "key", "accepted", "answer"),
    [
        ("StringEquals", "sagemaker:ModelApprovalStatus", "Approved", True),
        ("StringEquals", "SageMaker:modelapprovalstatus", ["Rejected", "Approved"], True),
        ("StringEquals", "sagemaker:ModelApprovalStatus", "approved", False),
        ("StringEqualsIgnoreCase", "sagemaker:ModelApprovalStatus", "approved", True),
        ("StringNotEquals", "sagemaker:ModelApprovalStatus", ["Rejected", "Approved"], False),
        ("StringNotEquals", "sagemaker:ModelApprovalStatus", "Rejected", True),
        ("StringLike", "sagemaker:ModelApprovalStatus", "App*", True),
        ("StringNotLike", "sagemaker:ModelApprovalStatus", "App*", False),
        ("ArnEquals", "aws:PrincipalArn", ROLE, True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/att*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:*:role/attest", False),
        ("ArnNotEquals", "aws:PrincipalArn", ROLE, False),
        ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/other*", True),
        ("Bool", "aws:SecureTransport", False, False),
        ("Bool", "aws:SecureTransport", "true", True),
        ("NumericGreaterThan", "s3:object-lock-remaining-retention-days", "10", True),
        ("NumericLessThanEquals", "s3:object-lock-remaining-retention-days", 29, False),
        ("NumericNotEquals", "s3:object-lock-remaining-retention-days", "30.0", False),
        ("Null", "s3:if-none-match", "true", True),
        ("Null", "s3:if-none-match", False, False),
        ("Null", "sagemaker:ModelApprovalStatus", "true", False),
        ("Null", "sagemaker:ModelApprovalStatus", "false", True),
        ("StringEquals", "s3:if-none-match", "*", False),
        ("StringNotEquals", "s3:if-none-match", "*", True),
        ("StringEqualsIfExists", "s3:if-none-match", "*", True),
        ("StringEqualsIfExists", "sagemaker:ModelApprovalStatus", "Rejected", False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "cost", "stage"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False),
        ("ForAllValues:StringEquals", "s3:if-none-match", ["*"], True),
        ("ForAnyValue:StringLike", "aws:TagKeys", ["te*"], True),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["team"], True),
        ("ForAnyValue:StringNotEquals", "s3:if-none-match", ["*"], False),
        ("DateLessThan", "aws:SecureTransport", "2030-01-01T00:00:00Z", False),
        ("StringEquals", "aws:SourceVpce", "vpce-1", None),
        ("Null", "aws:SourceVpce", "true", None),
        ("StringEqualsIfExists", "aws:SourceVpce", "vpce-1", None),
    ],
)
def test_an_operator_is_judged_as_iam_judges_it(operator: str, key: str, accepted: Any, answer: bool | None) -> None:
    assert hold({"Condition": {operator: {key: accepted}}}, KNOWN) is answer


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({}, True),
        ({"Bool": {"aws:SecureTransport": "true"}, "Null": {"s3:if-none-match": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:SourceVpce": "vpce-1"}}, False),
        ({"Bool": {"aws:SecureTransport": "true", "aws:ViaAWSService": "true"}}, None),
    ],
)
def test_all_conditions_must_be_met(condition: dict[str, Any], answer: bool | None) -> None:
    """One that is not met decides, whatever is not known of the others."""
    assert hold({"Condition": condition}, KNOWN) is answer
