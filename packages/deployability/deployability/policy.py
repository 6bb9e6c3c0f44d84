"""Policies wherever they stand: of roles, keys, buckets, topics, repositories.

What cannot be read (a parameter, a condition, a transform) counts as allowed: a rule that does not know says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from deployability.template import items, words

Statement = Mapping[str, Any]


def documents(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every policy document inside a value."""
    if isinstance(value, dict) and "Statement" in value:
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from documents(inner)


def statements(value: Any) -> Iterator[Statement]:
    """Every statement of every policy document inside a value."""
    for document in documents(value):
        yield from (one for one in items(document["Statement"]) if isinstance(one, dict))


def readable(value: Any) -> bool:
    """Whether every statement is written where the rules can read it, and not brought by a parameter or a transform."""
    return all(isinstance(one, dict) and "Effect" in one for document in documents(value) for one in items(document["Statement"]))


def allows(statement: Statement, action: str) -> bool:
    """Whether a statement allows an action such as `kms:Decrypt`, by Action or by NotAction."""
    if statement.get("Effect") != "Allow":
        return False
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action)
    return _matches(statement.get("Action"), action)


def _matches(patterns: Any, action: str) -> bool:
    return any(isinstance(one, str) and fnmatchcase(action.lower(), one.lower()) for one in items(patterns))


def principals(statement: Statement) -> list[str]:
    """Whom a statement names: services, accounts, roles, as text."""
    named = statement.get("Principal")
    if not isinstance(named, dict):
        return [words(named)] if named is not None else []
    return [words(one) for value in named.values() for one in items(value)]


def lets_in(value: Any, service: str, *actions: str) -> bool:
    """Whether the policy documents inside a value let a service (`logs` for `logs.<region>.amazonaws.com` too) take every action.

    A document that cannot be read lets everybody in, and so does a principal that is filled in from elsewhere.
    """
    if value is not None and (not list(documents(value)) or not readable(value)):
        return True
    open_to = [s for s in statements(value) if "NotPrincipal" in s or any(_may_be(p, service) for p in principals(s))]
    return all(any(allows(statement, action) for statement in open_to) for action in actions)


def _may_be(principal: str, service: str) -> bool:
    label = principal.partition(".")[0]
    return label in ("*", service) or (label.startswith("${") and label != "${AWS::AccountId}")
