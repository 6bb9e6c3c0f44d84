"""Who asks: the user or role that policies name, by the keys of a request."""

from __future__ import annotations

import re
from typing import Any

from moto.iam.access_control import create_access_key
from moto.iam.models import iam_backends


def of(response: Any) -> str:
    """The ARN of the principal whose request moto's `response` object received."""
    keys = create_access_key(response.current_account, response.partition, response.get_access_key(), response.headers)
    return principal(keys.arn)


def principal(arn: str) -> str:
    """`arn:…:sts::1:assumed-role/R/session` → `arn:…:iam::1:role/PATH/R`: policies name the role and its path, not the session."""
    match = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/(.+)/[^/]+", arn)
    if match is None:
        return arn
    partition, account, name = match.groups()
    role = next((r for r in iam_backends[account][partition].roles.values() if r.name == name), None)
    return str(role.arn) if role else f"arn:{partition}:iam::{account}:role/{name}"
