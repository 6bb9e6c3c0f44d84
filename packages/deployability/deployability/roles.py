"""What a role may do, judged by all that it has, and who may take it on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deployability.policy import Statement, allows, documents, principals, readable, statements
from deployability.template import Properties, Template, items, words

ROLE, MANAGED = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
POLICIES = ("AWS::IAM::Policy", MANAGED, "AWS::IAM::RolePolicy")


@dataclass(frozen=True)
class Permissions:
    """What a role gets from this template. Not `complete` when a policy of AWS, of another stack or of a parameter adds to it."""

    statements: tuple[Statement, ...]
    complete: bool

    def may(self, action: str) -> bool:
        """Whether the role is allowed an action, or may be."""
        return not self.complete or self.surely(action)

    def surely(self, action: str) -> bool:
        """Whether this template shows that the role is allowed an action."""
        return any(allows(statement, action) for statement in self.statements)


def permissions(template: Template, role: str, *, without: str = "") -> Permissions:
    """All that a role of the template is allowed: inline, by managed policies and by policies attached from their own side.

    Args:
        without: a policy of the template that is left out of account.
    """
    properties = dict(template.of(ROLE))[role]
    managed = [template.pointed(one, MANAGED) for one in items(properties.get("ManagedPolicyArns"))]
    names = {policy[0] for policy in managed if policy} | set(attached(template, role))
    sources = [properties.get("Policies"), *(content for name, content in template.of(*POLICIES) if name in names - {without})]
    complete = all(managed) and all(readable(one) and (one is None or list(documents(one))) for one in sources if one != [])
    return Permissions(tuple(statement for one in sources for statement in statements(one)), complete)


def attached(template: Template, role: str) -> Iterator[str]:
    """The policies of the template that name a role from their own side, by reference or by its fixed name."""
    name = words(dict(template.of(ROLE))[role].get("RoleName"))
    for policy, content in template.of(*POLICIES):
        for one in (*items(content.get("Roles")), *items(content.get("RoleName"))):
            pointed = template.pointed(one, ROLE)
            if (pointed and pointed[0] == role) or (isinstance(one, str) and one == name):
                yield policy


def assumed_by(role: Properties) -> set[str] | None:
    """The services (`sagemaker`) that a role's trust names; None where its trust cannot be read whole."""
    trust = role.get("AssumeRolePolicyDocument")
    if trust is None or not list(documents(trust)) or not readable(trust):
        return None
    services: set[str] = set()
    for statement in statements(trust):
        if "NotPrincipal" in statement:
            return None
        for principal in principals(statement):
            label = principal.partition(".")[0]
            if principal == "*" or (label.startswith("${") and label != "${AWS::AccountId}"):
                return None
            if allows(statement, "sts:AssumeRole"):
                services.add(label)
    return services
