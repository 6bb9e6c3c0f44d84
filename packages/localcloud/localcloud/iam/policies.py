"""What policies say: whether their statements allow or deny an action on a resource, let a caller in, or trust a principal.

moto compares resources with "*" only; here a statement's `Resource` is compared with an ARN. What is not known never denies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from moto.iam.access_control import IAMPolicy

from localcloud.iam import roles
from localcloud.iam.conditions import Context, hold, listed, matches

Statement = dict[str, Any]


def statements(policies: Iterable[Any]) -> Iterator[Statement]:
    """All statements of policies in whichever form moto keeps them: objects, records, JSON text, or parsed."""
    for policy in policies:
        document = policy if isinstance(policy, dict) and "Statement" in policy else IAMPolicy(policy)._policy_json
        said = document["Statement"]
        yield from said if isinstance(said, list) else [said]


def allows(policy: Iterable[Statement], *, action: str, resource: str | None, context: Context | None = None) -> bool:
    """Whether the statements allow `action` on the ARN `resource` (None: the request does not tell which), and none denies it."""
    policy = list(policy)
    return grants(policy, action=action, resource=resource, context=context) and not denies(
        policy, action=action, resource=resource, context=context
    )


def grants(policy: Iterable[Statement], *, action: str, resource: str | None, context: Context | None = None) -> bool:
    """Whether a statement allows it. Conditions that nobody here can judge are taken as met."""
    concerned = (s for s in policy if s["Effect"] == "Allow" and _concerns(s, action))
    return any((resource is None or _covers(s, resource)) and hold(s, context or {}) is not False for s in concerned)


def denies(policy: Iterable[Statement], *, action: str, resource: str | None, context: Context | None = None) -> bool:
    """Whether a statement denies it, its resource and all of its conditions being known."""
    concerned = (s for s in policy if s["Effect"] == "Deny" and _concerns(s, action) and (resource or "NotResource" not in s))
    return any(_covers(s, resource or "") and hold(s, context or {}) is True for s in concerned)


def role_allows(role_arn: str, *, action: str, resource: str, context: Context | None = None) -> bool:
    """Whether a role's own policies allow it `action` on `resource`, and its boundary does not stop it."""
    policy, about = of_role(role_arn), {**known_of(role_arn), **(context or {})}
    sides = [policy, boundary] if (boundary := boundary_of(role_arn)) is not None else [policy]
    return all(allows(side, action=action, resource=resource, context=about) for side in sides)


def of_role(role_arn: str) -> list[Statement]:
    """The statements of a role's own policies."""
    role = roles.of(role_arn)
    return list(statements(role.policies)) if role else []


def boundary_of(role_arn: str) -> list[Statement] | None:
    """What a role's permissions boundary says; None where it has none, or there is no such role."""
    role = roles.of(role_arn) if roles.exists(role_arn) else None
    return list(statements([role.boundary])) if role and role.boundary else None


def lets_in(policy: Any, *, caller: str, action: str, resource: str | None = None, context: Context | None = None) -> bool:
    """Whether the policy on a resource lets a principal of another account (its ARN), or a service (its name), do `action`."""
    return allows(addressing(policy, caller), action=action, resource=resource, context={**known_of(caller), **(context or {})})


def role_trusts(role_arn: str, *, caller: str) -> bool:
    """Whether a role lets `caller` assume it. Raises moto's error where there is no such role."""
    return trusts(roles.require(role_arn).trust, caller=caller)


def trusts(document: str, *, caller: str, action: str = "sts:AssumeRole") -> bool:
    """Whether a role's trust policy lets `caller` (a principal's ARN, or a service name) assume it."""
    return lets_in(document, caller=caller, action=action)


def addressing(policy: Any, caller: str) -> list[Statement]:
    """The statements of the policy on a resource, if it has one, that are about `caller`, or about its whole account."""
    document = statements([policy.decode() if isinstance(policy, bytes) else policy]) if policy else ()
    return [s for s in document if _is_about(s, caller)]


def delegates(statement: Statement, caller: str) -> bool:
    """Whether a statement that is about `caller` names its account only: what the account's own policies allow is then allowed."""
    return not {"*", caller} & set(_principals(statement.get("Principal", {})))


def known_of(caller: str) -> dict[str, list[str]]:
    """The condition keys that a caller decides, by its ARN or by a service's name. What speaks to localcloud counts as TLS."""
    is_service = not caller.startswith("arn:")
    return {
        "aws:PrincipalAccount": [] if is_service else [caller.split(":")[4]],
        "aws:PrincipalArn": [] if is_service else [caller],
        "aws:PrincipalIsAWSService": [str(is_service).lower()],
        "aws:SecureTransport": ["true"],
    }


def _concerns(statement: Statement, action: str) -> bool:
    named = listed(statement["NotAction"] if "NotAction" in statement else statement["Action"])
    return any(matches(p.lower(), action.lower()) for p in named) is not ("NotAction" in statement)


def _covers(statement: Statement, resource: str) -> bool:
    """Policies on resources, as those of trust, may leave out what they are on."""
    if "NotResource" in statement:
        return not any(_is_of(p, resource) for p in listed(statement["NotResource"]))
    return "Resource" not in statement or any(_is_of(p, resource) for p in listed(statement["Resource"]))


def _is_of(pattern: str, resource: str) -> bool:
    return matches(pattern, resource) or matches(pattern.removesuffix(":*"), resource.removesuffix(":*"))


def _is_about(statement: Statement, caller: str) -> bool:
    if "NotPrincipal" in statement:
        return not _is_named(statement["NotPrincipal"], caller)
    return _is_named(statement.get("Principal", {}), caller)


def _is_named(principal: Any, caller: str) -> bool:
    account = caller.split(":")[4] if caller.startswith("arn:") else None
    return any(p in ("*", caller) or (account and (p == account or p.endswith(f"::{account}:root"))) for p in _principals(principal))


def _principals(principal: Any) -> list[str]:
    return ["*"] if principal == "*" else [p for kind in ("AWS", "Service") for p in listed(principal.get(kind, []))]
