"""A record of a feature group, as PutRecord has it: texts, which the group's definitions give types.

The rules are those of the developer guide ("Create feature groups", "Data sources and ingestion") and of the API reference (PutRecord).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from localcloud.core.errors import error

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
WHOLE = range(-(2**63), 2**63)  # what Integral holds
LARGEST = 350 * 1024  # bytes of a record (quotas of Feature Store)
Record = dict[str, str]  # feature → its value, as it was written; a feature without one is not there


def read(values: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> Record:
    """The record of a request, whose features have the types `kinds`.

    Raises an AWS error for an unknown feature, one that is there twice, or a value that is not of its type.
    """
    record: Record = {}
    for value in values:
        name = value["FeatureName"]
        if name not in kinds:
            raise refused(f"FeatureName {name} is not in the FeatureGroup: it has {', '.join(kinds)}")
        if name in record:
            raise refused(f"FeatureName {name} is in the Record twice")
        if "ValueAsString" not in value:
            raise refused(f"FeatureName {name} has no ValueAsString: localcloud knows no collections")
        _check(name, value["ValueAsString"], kinds[name])
        record[name] = value["ValueAsString"]
    if (size := sum(len(name.encode()) + len(text.encode()) for name, text in record.items())) > LARGEST:
        raise refused(f"Record of {size} bytes exceeds the limit of {LARGEST} bytes")
    return record


def moment(text: str, kind: str) -> float:
    """Seconds since 1970 of an event time, which is an ISO-8601 text in UTC, or, of the type Fractional, these seconds.

    Raises an AWS error for another text.
    """
    if kind == "Fractional":
        return float(text)
    if not ISO.fullmatch(text):
        raise refused(f"EventTime {text!r} is not of the form yyyy-MM-dd'T'HH:mm:ssZ or yyyy-MM-dd'T'HH:mm:ss.SSSZ, in UTC")
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp()
    except ValueError as problem:
        raise refused(f"EventTime {text!r} is no time: {problem}") from problem


def typed(text: str | None, kind: str) -> int | float | str | None:
    """A value in the type that the offline store has."""
    if text is None or kind == "String":
        return text
    return int(text) if kind == "Integral" else float(text)


def refused(message: str) -> Exception:
    """The error of Feature Store's runtime, which calls it by another name than SageMaker does."""
    return error("ValidationError", message)


def _check(name: str, text: str, kind: str) -> None:
    try:
        value = typed(text, kind)
    except ValueError as problem:
        raise refused(f"Value {text!r} of FeatureName {name} is not of type {kind}") from problem
    if (kind == "Integral" and value not in WHOLE) or (kind == "Fractional" and not math.isfinite(float(text))):
        raise refused(f"Value {text!r} of FeatureName {name} is not of type {kind}")
