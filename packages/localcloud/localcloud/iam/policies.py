"""What policies say: whether their statements allow an action on a resource, let a caller in, or trust a principal.

moto compares resources with "*" only; here a statement's `Resource` is compared with an ARN. Conditions are judged where the value of
their key is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from moto.iam.access_control import IAMPolicy
from moto.iam.models import iam_backends

from localcloud.core.cloud import PARTITION
from localcloud.iam.permissions import Context

Statement = dict[str, Any]
EXACT, LIKE = ("StringEquals",), ("ArnEquals", "ArnLike", "StringLike")


def statements(policies: Iterable[Any]) -> Iterator[Statement]:
    """All statements of policies in whichever form moto keeps them: objects, records, JSON text, or parsed."""
    for policy in policies:
        document = policy if isinstance(policy, dict) and "Statement" in policy else IAMPolicy(policy)._policy_json
        listed = document["Statement"]
        yield from (s for s in listed if s is not None) if isinstance(listed, list) else [listed]  # moto keeps AWS::NoValue as None


def allows(policy: Iterable[Statement], *, action: str, resource: str | None, context: Context | None = None) -> bool:
    """Whether the statements allow `action` on the ARN `resource` (None: the request does not tell which)."""
    allowed = False
    for statement in policy:
        if _concerns(statement, action) and _covers(statement, resource):
            if statement["Effect"] == "Deny" and "Condition" not in statement:
                return False
            allowed = allowed or (statement["Effect"] == "Allow" and _conditions_hold(statement, context or {}))
    return allowed


def role_allows(role_arn: str, *, action: str, resource: str) -> bool:
    """Whether a role's own policies allow it `action` on `resource`."""
    backend = iam_backends[role_arn.split(":")[4]][PARTITION]
    name = backend.get_role_by_arn(role_arn).name
    inline = [backend.get_role_policy(name, p)[1] for p in backend.list_role_policies(name)]
    return allows(statements([*inline, *backend.list_attached_role_policies(name)[0]]), action=action, resource=resource)


def lets_in(policy: Any, *, caller: str, action: str, resource: str | None = None, context: Context | None = None) -> bool:
    """Whether the policy on a resource lets a principal of another account (its ARN), or a service (its name), do `action`."""
    document = statements([policy.decode() if isinstance(policy, bytes) else policy]) if policy else []
    addressed = [s for s in document if _is_principal(s, caller)]
    return allows(addressed, action=action, resource=resource, context={"aws:PrincipalArn": [caller], **(context or {})})


def trusts(document: str, *, caller: str, action: str = "sts:AssumeRole") -> bool:
    """Whether a role's trust policy lets `caller` (a principal's ARN, or a service name) assume it."""
    return any(
        s["Effect"] == "Allow" and _concerns(s, action) and _is_principal(s, caller) and _conditions_hold(s, {"aws:PrincipalArn": [caller]})
        for s in statements([document])
    )


def _listed(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value, re.DOTALL) is not None


def _concerns(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not any(_matches(p.lower(), action.lower()) for p in _listed(statement["NotAction"]))
    return any(_matches(p.lower(), action.lower()) for p in _listed(statement["Action"]))


def _covers(statement: Statement, resource: str | None) -> bool:
    if resource is None or "Resource" not in statement:
        return True
    return any(_matches(p, resource) or _matches(p.removesuffix(":*"), resource.removesuffix(":*")) for p in _listed(statement["Resource"]))


def _is_principal(statement: Statement, caller: str) -> bool:
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    accepted = [p for kind in ("AWS", "Service") for p in _listed(principal.get(kind, []))]
    account = caller.split(":")[4] if caller.startswith("arn:") else None
    return any(p in ("*", caller) or (account and (p == account or p.endswith(f"::{account}:root"))) for p in accepted)


def _conditions_hold(statement: Statement, context: Context) -> bool:
    """Whether the conditions on keys of `context` are met; the others depend on facts that exist only in AWS."""
    return all(
        _is_met(operator.removeprefix("ForAnyValue:"), _listed(accepted), context[key])
        for operator, keys in statement.get("Condition", {}).items()
        for key, accepted in keys.items()
        if key in context
    )


def _is_met(operator: str, accepted: list[str], values: list[str]) -> bool:
    """A kind of comparison that is not known here is not met."""
    if operator in EXACT:
        return not set(accepted).isdisjoint(values)
    return operator in LIKE and any(_matches(pattern, value) for pattern in accepted for value in values)
