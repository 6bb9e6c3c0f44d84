"""JSON schemas as the server's OpenAPI document has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def departures(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Where a value is not as its JSON schema says; knows what our document uses."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": int | float, "boolean": bool, "null": type(None)}
    wanted = schema.get("type", [])
    if wanted and not any(isinstance(value, kinds[kind]) for kind in ([wanted] if isinstance(wanted, str) else wanted)):
        yield f"{value!r} is no {wanted}"
    elif schema.get("const", value) != value or value not in schema.get("enum", [value]):
        yield f"{value!r} is not accepted"
    elif isinstance(value, dict) and "properties" in schema:
        yield from (f"{name} is missing or unknown" for name in value.keys() ^ schema["properties"].keys())
        yield from (
            departure
            for name in value.keys() & schema["properties"].keys()
            for departure in departures(value[name], schema["properties"][name])
        )
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{len(value)} items"
        yield from (departure for item in value for departure in departures(item, schema["items"]))
    elif isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{value} is out of range"
