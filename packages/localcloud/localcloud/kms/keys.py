"""Finds a key by any of its names, as it is seen: a new key or alias, and a change of either, is known everywhere only after a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.kms.models import KmsBackend, kms_backends

from localcloud.core.late_reads import Kind

PAGE = 'KMS developer guide, "AWS KMS eventual consistency"'
_moto_of_alias = KmsBackend.get_key_id_from_alias


def install() -> None:
    """Have moto find keys by aliases that are seen."""
    KmsBackend.get_key_id_from_alias = _of_alias  # type: ignore[method-assign]


def find(name: str, account: str, region: str) -> Any:
    """moto's record of a KMS key by ARN, id or alias; `account` and `region` are of one that no ARN names. None when there is none."""
    if name.startswith("arn:"):
        region, account, name = name.split(":", 5)[3:]
    backend = kms_backends[account][region]
    named = _named(backend, name, _holder) if name.startswith("alias/") else name.removeprefix("key/")
    key = backend.keys.get(named) if named else None
    return key if key and POLICIES.stale(account, region).get(key.arn, key) else None


def policy(key: Any) -> str:
    """The policy of a key that is in force."""
    stale = POLICIES.stale(key.account_id, key.region)
    text: str = stale.get(key.arn, key.policy)
    return text


def _of_alias(self: Any, alias_name: str) -> str | None:
    return _named(self, alias_name, _moto_of_alias)


def _holder(backend: Any, alias: str) -> str | None:
    return next((key.id for key in list(backend.keys.values()) if alias in key.aliases), None)


def _named(backend: Any, alias: str, now: Callable[[Any, str], str | None]) -> str | None:
    """The id of the key that an alias is seen to name; `now` knows which it names."""
    stale = ALIASES.stale(backend.account_id, backend.region_name)
    arn = f"arn:{backend.partition}:kms:{backend.region_name}:{backend.account_id}:{alias}"
    return stale[arn] if arn in stale else now(backend, alias)


def _policies(account: str, region: str) -> dict[str, str]:
    return {key.arn: key.policy for key in list(kms_backends[account][region].keys.values())}


def _aliases(account: str, region: str) -> dict[str, str]:
    keys = list(kms_backends[account][region].keys.values())
    return {alias.alias_arn: key.id for key in keys for alias in list(key.aliases.values())}


POLICIES = Kind("kms", PAGE, _policies)
ALIASES = Kind("kms", PAGE, _aliases)
