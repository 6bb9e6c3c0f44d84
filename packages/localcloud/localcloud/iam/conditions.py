"""Judges the conditions of a policy's statement by what is known of a request.

There are three answers, since some keys depend on facts that exist only in AWS: a condition holds, it does not, or nobody here can tell.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, list[str]]  # condition key → its values in this request; none for a key that is known to be absent


def matches(pattern: str, value: str) -> bool:
    """Whether `value` is what `pattern` says, with IAM's wildcards * and ?."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value, re.DOTALL) is not None


def _arn(pattern: str, value: str) -> bool:
    """Part by part: a wildcard of an ARN's pattern does not cross a colon, but in the last part."""
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(matches, patterns, parts))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda accepted, value: compare(float(value), float(accepted))


# operator → whether a value of the request is as one of the policy's says; "Not" in an operator's name turns it round
COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "Bool": lambda accepted, value: accepted.lower() == value.lower(),
    "NumericEquals": _number(operator.eq),
    "NumericGreaterThan": _number(operator.gt),
    "NumericGreaterThanEquals": _number(operator.ge),
    "NumericLessThan": _number(operator.lt),
    "NumericLessThanEquals": _number(operator.le),
    "StringEquals": operator.eq,
    "StringEqualsIgnoreCase": lambda accepted, value: accepted.lower() == value.lower(),
    "StringLike": matches,
}


def hold(statement: Mapping[str, Any], context: Context) -> bool | None:
    """Whether all conditions of a statement are met; None where that depends on a key that `context` does not know."""
    known = {key.lower(): values for key, values in context.items()}
    answers = [
        _is_met(name, listed(accepted), known[key.lower()]) if key.lower() in known else None
        for name, keys in statement.get("Condition", {}).items()
        for key, accepted in keys.items()
    ]
    return False if False in answers else None if None in answers else True


def listed(value: Any) -> list[str]:
    """The values of an element that may have one or several."""
    return [_text(v) for v in value] if isinstance(value, list) else [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_met(name: str, accepted: list[str], values: list[str]) -> bool:
    """A kind of comparison that is not known here is not met."""
    quantifier, _, rest = name.rpartition(":")
    kind, optional = rest.removesuffix("IfExists"), rest.endswith("IfExists")
    if kind == "Null":
        return (accepted == ["true"]) is not bool(values)
    negated = "Not" in kind
    compare = COMPARISONS.get(kind.replace("Not", "", 1))
    if compare is None:
        return False
    if not values:
        return optional or quantifier == "ForAllValues" or (negated and quantifier != "ForAnyValue")
    each = [any(compare(a, value) for a in accepted) is not negated for value in values]
    return all(each) if quantifier == "ForAllValues" or (negated and not quantifier) else any(each)
