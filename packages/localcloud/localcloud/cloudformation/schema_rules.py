"""JSON Schema as CloudFormation reads it: it takes text for numbers and booleans, and has rules of its own beside the standard's.

The words are those of CloudFormation's events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import regex  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator, TypeChecker  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend  # type: ignore[import-untyped]

Json = Any
Rule = Callable[[Any, Json], bool]  # of what a schema says and a value: whether the value breaks it


def problems(schema: Mapping[str, Any], value: Json) -> Iterator[str]:
    """What CloudFormation would say of a value, a line each."""
    for problem in _Validator(schema).iter_errors(value):
        yield from _words(problem)


def plain(value: Json) -> Json:
    """A value with every number and boolean in it as text, as CloudFormation compares them."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value if value is None else _text(value)


def _text(scalar: Any) -> str:
    return str(scalar).lower() if isinstance(scalar, bool) else str(scalar)


def _is_scalar(value: Json) -> bool:
    return isinstance(value, (str, int, float))


def _is(pattern: str) -> Callable[[TypeChecker, Json], bool]:
    return lambda _, value: _is_scalar(value) and regex.fullmatch(pattern, _text(value)) is not None


def _is_number(value: Json) -> bool:
    return bool(_TYPES.is_type(value, "number"))


_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "string": lambda _, value: _is_scalar(value),
        "boolean": _is("(?i)true|false"),
        "integer": _is(r"[+-]?\d+"),
        "number": _is(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"),
    }
)
RULES: dict[str, Rule] = {
    "const": lambda accepted, value: plain(value) != plain(accepted),
    "dependentExcluded": lambda excluded, value: any(a in value and b in value for a, others in excluded.items() for b in others),
    "enum": lambda accepted, value: plain(value) not in plain(accepted),
    "enumCaseInsensitive": lambda accepted, value: _text(value).lower() not in (_text(each).lower() for each in accepted),
    "maximum": lambda most, value: _is_number(value) and float(value) > most,
    "maxLength": lambda most, value: _is_scalar(value) and len(_text(value)) > most,
    "minimum": lambda least, value: _is_number(value) and float(value) < least,
    "minLength": lambda least, value: _is_scalar(value) and len(_text(value)) < least,
    "pattern": lambda pattern, value: _is_scalar(value) and not regex.search(pattern, _text(value)),
    "requiredOr": lambda names, value: not any(name in value for name in names),
    "requiredXor": lambda names, value: sum(name in value for name in names) != 1,
}


def _keyword(broken: Rule) -> Callable[..., Iterator[ValidationError]]:
    def judge(_: Any, limit: Any, value: Json, __: Any) -> Iterator[ValidationError]:
        if broken(limit, value):
            yield ValidationError("")

    return judge


_Validator = extend(Draft202012Validator, {name: _keyword(broken) for name, broken in RULES.items()}, type_checker=_TYPES)


def _words(problem: ValidationError) -> Iterator[str]:
    where, value, limit = "#" + "".join(f"/{part}" for part in problem.absolute_path), problem.instance, problem.validator_value
    match str(problem.validator):
        case "required":
            yield f"{where}: required key [{problem.message.split(chr(39))[1]}] not found"
        case "additionalProperties":
            unknown = (key for key in value if key not in problem.schema["properties"])
            yield from (f"{where}: extraneous key [{key}] is not permitted" for key in unknown)
        case "type":
            wanted = limit if isinstance(limit, list) else [limit]
            yield f"{where}: expected type: {' or '.join(name.capitalize() for name in wanted)}, found: {_kind(value)}"
        case "enum" | "enumCaseInsensitive":
            yield f"{where}: {_text(value)} is not a valid enum value"
        case "maxLength" | "minLength":
            yield f"{where}: expected {problem.validator}: {limit}, actual: {len(_text(value))}"
        case rule:
            yield f"{where}: failed validation constraint for keyword [{rule}]"


def _kind(value: Json) -> str:
    kinds = ((dict, "JSONObject"), (list, "JSONArray"), (bool, "Boolean"), (int, "Integer"), (float, "Double"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "String")
