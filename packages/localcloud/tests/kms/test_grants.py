"""A grant lets its grantee use a key, until it is revoked; services make theirs for themselves."""

from __future__ import annotations

from typing import Any

import pytest
from answers import answer

from localcloud.testing import ACCOUNT
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

HERE = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
DIGEST = {"Message": bytes(32), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
FOR_SERVICES = {"Bool": {"kms:GrantIsForAWSResource": "true"}}

pytestmark = pytest.mark.aws("KMS grants; `kms:GrantIsForAWSResource`")


def key(cloud: Accounts) -> str:
    return str(cloud.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"])


def test_a_grant_lets_its_grantee_do_its_operations_until_it_is_revoked(cloud: Accounts, name: Name) -> None:
    kms, arn = cloud.client("kms"), key(cloud)
    role = cloud.role(name("role"), trusts=HERE, allows=[{"Action": "s3:GetObject", "Resource": "*"}])
    keys = cloud.assume(role)
    wanted: dict[str, Any] = {"KeyId": arn, **DIGEST}
    assert answer(cloud.client("kms", **keys).sign, **wanted) == "AccessDeniedException"

    grant = kms.create_grant(KeyId=arn, GranteePrincipal=role, Operations=["Sign"])["GrantId"]

    until(lambda: answer(cloud.client("kms", **keys).sign, **wanted) == "done")
    assert answer(cloud.client("kms", **keys).get_public_key, KeyId=arn) == "AccessDeniedException"
    kms.revoke_grant(KeyId=arn, GrantId=grant)
    until(lambda: answer(cloud.client("kms", **keys).sign, **wanted) == "AccessDeniedException")


def test_who_may_have_services_make_grants_makes_none_himself(cloud: Accounts, name: Name) -> None:
    arn = key(cloud)
    role = cloud.role(name("role"), trusts=HERE, allows=[{"Action": "kms:CreateGrant", "Resource": "*", "Condition": FOR_SERVICES}])

    made = answer(cloud.client("kms", **cloud.assume(role)).create_grant, KeyId=arn, GranteePrincipal=role, Operations=["Sign"])

    assert made == "AccessDeniedException"
    assert cloud.client("kms").list_grants(KeyId=arn)["Grants"] == []
