"""Policies wherever they stand: of roles, keys, buckets, topics, repositories."""

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


def allows(statement: Statement, action: str) -> bool:
    """Whether a statement allows an action such as `kms:Decrypt`."""
    patterns = [str(pattern).lower() for pattern in items(statement.get("Action")) if isinstance(pattern, str)]
    return statement.get("Effect") == "Allow" and any(fnmatchcase(action.lower(), pattern) for pattern in patterns)


def principals(statement: Statement) -> list[str]:
    """Whom a statement names: services, accounts, roles, as text."""
    named = statement.get("Principal")
    if not isinstance(named, dict):
        return [words(named)] if named is not None else []
    return [words(one) for value in named.values() for one in items(value)]


def lets_in(value: Any, service: str, *actions: str) -> bool:
    """Whether the policy documents inside a value let a service (`logs` for `logs.<region>.amazonaws.com` too) take every action."""
    open_to = [s for s in statements(value) if any(p == "*" or p.partition(".")[0] == service for p in principals(s))]
    return all(any(allows(statement, action) for statement in open_to) for action in actions)
