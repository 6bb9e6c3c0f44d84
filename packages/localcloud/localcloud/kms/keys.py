"""Finds a key by any of its names."""

from __future__ import annotations

from typing import Any

from moto.kms.models import kms_backends


def find(name: str, account: str, region: str) -> Any:
    """moto's record of a KMS key by ARN, id or alias; `account` and `region` are of one that no ARN names. None when there is none."""
    if name.startswith("arn:"):
        region, account, name = name.split(":", 5)[3:]
    known = kms_backends[account][region].keys.values()
    return next((key for key in known if name.removeprefix("key/") == key.id or name in key.aliases), None)
