"""Grants: what they let their grantee do with a key, beside its policy.

By "Grants in AWS KMS" in its developer guide. A grant with constraints lets nobody in here: what a request says of its encryption context
is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.kms.models import kms_backends

from localcloud.core.late_reads import Kind

OF_GRANTS = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")  # to which kms:GrantIsForAWSResource belongs
OF_VOLUMES = ["CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext"]  # what an encrypted volume is attached by


def lets(arn: str, caller: str, action: str) -> bool:
    """Whether a grant on the key `arn` lets `caller`, a principal's ARN, do `action`."""
    _, _, _, region, account, resource = arn.split(":", 5)
    given = kms_backends[account][region].list_grants(key_id=resource.removeprefix("key/"), grant_id="")
    operation, stale = action.removeprefix("kms:"), GRANTS.stale(account, region)
    seen = [grant for grant in given if stale.get(_arn(arn, grant), grant)]
    return any(grant.grantee_principal == caller and operation in grant.operations and not grant.constraints for grant in seen)


def _arn(key: str, grant: Any) -> str:
    """A name for a grant: AWS gives it no ARN."""
    return f"{key}/grant/{grant.id}"


def _now(account: str, region: str) -> dict[str, bool]:
    keys = list(kms_backends[account][region].keys.values())
    return {_arn(key.arn, grant): True for key in keys for grant in list(key.grants.values())}


GRANTS = Kind("kms", 'KMS developer guide, "Using a grant token"', _now)


@contextmanager
def of_volume(key: Any, service: str) -> Iterator[None]:
    """The grant by which an AWS `service` uses a key for a volume, for as long as the volume is there."""
    backend = kms_backends[key.account_id][key.region]
    grant_id, _ = backend.create_grant(key.id, service, OF_VOLUMES, "", {}, service)
    try:
        yield
    finally:
        backend.revoke_grant(key.id, grant_id)
