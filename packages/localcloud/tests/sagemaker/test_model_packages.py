"""Model packages: what is noted of them adds up, and other accounts see them where their group's policy says so."""

from __future__ import annotations

import json

import pytest
from answers import answer
from botocore.exceptions import ClientError

from localcloud.testing import ACCOUNT, OTHER, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.marks import across
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("UpdateModelPackage allowed for rejections only")


def registered(aws: Accounts, group: str) -> str:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        CustomerMetadataProperties={"commit": "1"},
        ModelCard={"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
    )["ModelPackageArn"]
    return arn


def test_approval_and_metadata_of_a_package_do_not_wipe_each_other(aws: Accounts, name: Name) -> None:
    sagemaker, arn = aws.client("sagemaker"), registered(aws, name("g"))
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "PendingManualApproval"
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"approver": "me"})
    package = sagemaker.describe_model_package(ModelPackageName=arn)

    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "good")
    assert package["CustomerMetadataProperties"] == {"commit": "1", "approver": "me"}
    assert package["ModelCard"]["ModelCardStatus"] == "Draft"


@across
def test_another_account_reads_a_package_only_where_the_group_lets_it(aws: Accounts, name: Name) -> None:
    group = name("g")
    arn = registered(aws, group)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        aws.client("sagemaker", OTHER).describe_model_package(ModelPackageName=arn)
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "sagemaker:DescribeModelPackage",
        "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws.client("sagemaker").put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)

    theirs = aws.client("sagemaker", OTHER)
    until(lambda: answer(theirs.describe_model_package, ModelPackageName=arn) == "done")
    assert theirs.describe_model_package(ModelPackageName=arn)["ModelPackageArn"] == arn


def test_a_group_that_holds_packages_is_not_deleted(aws: Accounts, name: Name) -> None:
    arn = registered(aws, name("g"))
    with pytest.raises(ClientError, match=r"ConflictException|ValidationException"):
        aws.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name("g"))
    aws.client("sagemaker").delete_model_package(ModelPackageName=arn)
    aws.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name("g"))
    with pytest.raises(ClientError, match="ValidationException"):
        aws.client("sagemaker").describe_model_package_group(ModelPackageGroupName=name("g"))
