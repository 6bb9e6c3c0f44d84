"""Model packages: what is noted of them adds up, and other accounts see them where their group's policy says so."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localcloud.testing import OTHER
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name


def registered(aws: Aws, group: str) -> str:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        CustomerMetadataProperties={"commit": "1"},
        ModelCard={"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
    )["ModelPackageArn"]
    return arn


def test_approval_and_metadata_of_a_package_do_not_wipe_each_other(aws: Aws, name: Name) -> None:
    sagemaker, arn = aws.client("sagemaker"), registered(aws, name("g"))
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "PendingManualApproval"
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"approver": "me"})
    package = sagemaker.describe_model_package(ModelPackageName=arn)

    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "good")
    assert package["CustomerMetadataProperties"] == {"commit": "1", "approver": "me"}
    assert package["ModelCard"]["ModelCardStatus"] == "Draft"


def test_another_account_reads_a_package_only_where_the_group_lets_it(aws: Aws, name: Name) -> None:
    group = name("g")
    arn = registered(aws, group)
    with pytest.raises(ClientError, match="no resource-based policy allows it"):
        aws.client("sagemaker", OTHER).describe_model_package(ModelPackageName=arn)
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "sagemaker:DescribeModelPackage",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws.client("sagemaker").put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)

    assert aws.client("sagemaker", OTHER).describe_model_package(ModelPackageName=arn)["ModelPackageArn"] == arn


def test_a_group_that_holds_packages_is_not_deleted(aws: Aws, name: Name) -> None:
    arn = registered(aws, name("g"))
    with pytest.raises(ClientError, match="still contains model packages"):
        aws.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name("g"))
    aws.client("sagemaker").delete_model_package(ModelPackageName=arn)
    aws.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name("g"))
    with pytest.raises(ClientError, match="does not exist"):
        aws.client("sagemaker").describe_model_package_group(ModelPackageGroupName=name("g"))
