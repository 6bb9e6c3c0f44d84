"""Whether the policy on a repository or a model package group lets another account in, as both owners must agree in AWS."""

from __future__ import annotations

import fnmatch
import json
from typing import Any


def lets_in(policy: str | None, *, account: str, action: str) -> bool:
    """Whether a statement of the resource's own policy allows `action` to principals of `account`, and none denies it."""
    effects = [s["Effect"] for s in _listed(json.loads(policy)["Statement"]) if _names(s, account) and _does(s, action)] if policy else []
    return "Allow" in effects and "Deny" not in effects


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _names(statement: dict[str, Any], account: str) -> bool:
    principal = statement.get("Principal", {})
    named = ["*"] if principal == "*" else _listed(principal.get("AWS", []))
    return any(p in ("*", account) or f"::{account}:" in p for p in named)


def _does(statement: dict[str, Any], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), a.lower()) for a in _listed(statement.get("Action", [])))
