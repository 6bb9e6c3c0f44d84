"""Model cards: every content is a version of its own, and SageMaker's rules of updating them hold."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

pytestmark = pytest.mark.aws("model cards: versions, and that content and status are updated one by one")

FIRST, SECOND = (json.dumps({"model_overview": {"model_description": text}}) for text in ("first", "second"))


def test_new_content_is_a_new_version_and_a_status_is_none(aws: Accounts, name: Name) -> None:
    sagemaker, card = aws.client("sagemaker"), name("card")
    sagemaker.create_model_card(ModelCardName=card, Content=FIRST, ModelCardStatus="PendingReview")
    sagemaker.update_model_card(ModelCardName=card, Content=SECOND)
    sagemaker.update_model_card(ModelCardName=card, ModelCardStatus="Approved")
    versions = sagemaker.list_model_card_versions(ModelCardName=card, SortOrder="Ascending")["ModelCardVersionSummaryList"]
    newest = sagemaker.describe_model_card(ModelCardName=card)

    assert [(v["ModelCardVersion"], v["ModelCardStatus"]) for v in versions] == [(1, "PendingReview"), (2, "Approved")]
    assert (newest["Content"], newest["ModelCardVersion"]) == (SECOND, 2)
    assert sagemaker.describe_model_card(ModelCardName=card, ModelCardVersion=1)["Content"] == FIRST


def test_content_and_status_are_not_updated_in_one_call(aws: Accounts, name: Name) -> None:
    sagemaker, card = aws.client("sagemaker"), name("card")
    sagemaker.create_model_card(ModelCardName=card, Content=FIRST, ModelCardStatus="Draft")

    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.update_model_card(ModelCardName=card, Content=SECOND, ModelCardStatus="Approved")
    assert sagemaker.describe_model_card(ModelCardName=card)["Content"] == FIRST


def test_a_card_that_is_not_there_or_too_long(aws: Accounts, name: Name) -> None:
    sagemaker, card = aws.client("sagemaker"), name("card")

    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.update_model_card(ModelCardName=card, Content=FIRST)
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.create_model_card(ModelCardName=card, Content="x" * 100_001, ModelCardStatus="Draft")
