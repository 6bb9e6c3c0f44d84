"""The request's JSON schema, from `model.toml`: FastAPI documents the service, but never sees the requests of /invocations."""

from __future__ import annotations

from typing import Any

from paved_runtime import links
from paved_runtime.explain import Explainer
from paved_runtime.invocations import LIMIT
from paved_runtime.lookups import LONGEST
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.spec import Boolean, Category, Column, Date, Integer, Lookup, ModelSpec, Text

REFUSALS = {
    "400": "The body cannot be read at all.",
    "406": "Accept asks for no format that the answer can have; reasons and descriptions are JSON only.",
    "415": f"The content type is neither {JSON}, {CSV} nor {LINES}, or its charset is not UTF-8.",
    "422": "A row or value breaks the data contract; the error names row, column and what was expected.",
}
UNAVAILABLE = "Features cannot be looked up now; rows that have all columns are answered."


def invocations(spec: ModelSpec, explainer: Explainer | None, limit: int = LIMIT) -> dict[str, Any]:
    """The OpenAPI path item of /invocations, whose requests have at most `limit` bytes. Without an explainer, reasons are refused."""
    names, keys = list(spec.data.columns), dict.fromkeys(lookup.key for lookup in spec.features.values())
    looked_up = {column for lookup in spec.features.values() for column in lookup.columns}
    record = {
        "type": "object",
        "required": [name for name in names if name not in looked_up],
        "properties": {name: _schema(column) for name, column in spec.data.columns.items()}
        | {name: {"description": "Accepted and ignored."} for name in spec.data.ignored}
        | {key: _key(key, spec) for key in keys},
        "additionalProperties": False,
        **({"allOf": list(map(_looked_up, spec.features.values()))} if spec.features else {}),
    }
    cells = {
        "type": "array",
        "description": f"The values in their order: {', '.join(names)}",
        "prefixItems": [_schema(column) for column in spec.data.columns.values()],
        "minItems": len(names),
        "maxItems": len(names),
    }
    row = {"oneOf": [record, cells]}
    rows = {"type": "array", "minItems": 1, "items": row}
    batch = {
        "type": "object",
        "required": ["instances"],
        "properties": {
            "instances": rows,
            "explain": _explain(explainer),
        },
        "additionalProperties": False,
    }
    description = {
        "type": "object",
        "required": ["describe"],
        "properties": {"describe": {"const": True, "description": "Answer with what the model is."}},
        "additionalProperties": False,
    }
    order = f"{', '.join(names)}, or, with a header in the first line, in any order"
    if spec.features:
        order += f", with {' and '.join(keys)} in place of what is looked up; the answer to those is JSON"
    table = {"type": "string", "description": f"One row a line: {order}. header=present or header=absent in the content type says which."}
    lines = {"type": "string", "description": "One row a line, each an object or a list as in JSON."}
    content = {JSON: {"schema": {"oneOf": [batch, rows, record, description]}}, CSV: {"schema": table}, LINES: {"schema": lines}}
    accept = {
        "name": "Accept",
        "in": "header",
        "description": f"{JSON}, {CSV} or {LINES}; the request's own format where it says nothing else.",
        "schema": {"type": "string"},
    }
    return {
        "post": {
            "operationId": "invocations",
            "summary": spec.purpose,
            "parameters": [accept],
            "requestBody": {"required": True, "content": content},
            "responses": {"200": _answer(spec, explainer)}
            | {status: _refusal(text) for status, text in _refusals(explainer, limit).items()}
            | ({"503": _refusal(UNAVAILABLE)} if spec.features else {}),
        }
    }


def _key(key: str, spec: ModelSpec) -> dict[str, Any]:
    groups = [group for group, lookup in spec.features.items() if lookup.key == key]
    kind = {"type": ["string", "integer", "null"], "maxLength": LONGEST}
    return kind | {"description": f"The record identifier in feature group {', '.join(groups)}; null where there is none."}


def _looked_up(lookup: Lookup) -> dict[str, Any]:
    """What a row must have of a feature group: all of its columns, or none and the key."""
    columns: dict[str, Any] = dict.fromkeys(lookup.columns, False)
    return {"oneOf": [{"required": list(lookup.columns)}, {"required": [lookup.key], "properties": columns}]}


def _explain(explainer: Explainer | None) -> dict[str, Any]:
    if explainer is None:
        return {"const": False, "default": False, "description": "This model gives no reasons."}
    return {"type": "boolean", "default": False, "description": f"Answer with reasons. At most {explainer.most} rows."}


def _refusals(explainer: Explainer | None, limit: int) -> dict[str, str]:
    """What each status says."""
    large = f"The body is larger than {limit} bytes"
    if explainer is None:
        none = "The body cannot be read at all, or asks for reasons, which this model does not give."
        return dict(sorted((REFUSALS | {"400": none, "413": f"{large}."}).items()))
    return dict(sorted((REFUSALS | {"413": f"{large}, or asks to explain more than {explainer.most} rows."}).items()))


def _schema(column: Column) -> dict[str, Any]:
    accepted = _accepted(column)
    return {"anyOf": [accepted, {"type": "null"}]} if column.missing else accepted


def _accepted(column: Column) -> dict[str, Any]:
    if isinstance(column, Category):
        return {"type": "string", "enum": list(column.values)}
    if isinstance(column, Boolean):
        return {"type": "boolean"}
    if isinstance(column, Text):
        return {"type": "string", "minLength": 1, "maxLength": column.maximum_length}
    if isinstance(column, Date):
        return {"type": "string", "format": "date", "description": f"From {column.minimum} to {column.maximum}."}
    kind = "integer" if isinstance(column, Integer) else "number"
    return {"type": kind, "minimum": column.minimum, "maximum": column.maximum}


def _answer(spec: ModelSpec, explainer: Explainer | None) -> dict[str, Any]:
    version = {"type": "string", "description": "Begins the model's digest."}
    digest = {"type": "string", "description": "SHA-256 of the model's ONNX file and metadata, which has the digests of its other files."}
    runtime = {"type": "string", "description": "The version of paved-runtime that answers."}
    memory = {"type": "number", "description": "MiB of memory that the answering process holds."}
    schema = {"type": "object", "description": "The contract that the model was trained under."}
    answers = [
        _object(predictions={"type": "array", "items": _answered(spec, **_scored(spec))}, model_version=version),
        *([_explained(spec, explainer, version)] if explainer else []),
        _object(model={"const": spec.name}, model_version=version, model_sha256=digest, runtime=runtime, schema=schema, memory_mb=memory),
    ]
    plain_lines = {"type": "string", "description": "One score a line."}
    json_lines = {"type": "string", "description": 'One line a row: {"score": …}.'}
    if spec.data.classes:
        plain_lines = {"type": "string", "description": f"One line a row: the probabilities of {', '.join(spec.data.classes)}."}
        json_lines = {"type": "string", "description": 'One line a row: {"class": …, "scores": {…}}.'}
    description = "A score for each row, in order, with reasons where they were asked for; or what the model is."
    content = {JSON: {"schema": {"oneOf": answers}}, CSV: {"schema": plain_lines}, LINES: {"schema": json_lines}}
    return {"description": description, "content": content}


def _scored(spec: ModelSpec) -> dict[str, dict[str, Any]]:
    """The properties of a row's answer."""
    data, probability = spec.data, {"type": "number", "minimum": 0, "maximum": 1}
    if data.classes:
        most = {"type": "string", "enum": list(data.classes), "description": f"The most probable {data.target}."}
        each = _object(**dict.fromkeys(data.classes, probability)) | {"description": "The probability of each; together they are 1."}
        return {"class": most, "scores": each}
    if spec.task == "regression":
        known = f"those that it learnt lie from {data.target_minimum:g} to {data.target_maximum:g}"
        return {"score": {"type": "number", "description": f"What {data.target} is expected to be, in its own unit: {known}."}}
    return {"score": probability | {"description": f"The probability that {data.target} is {data.positive}."}}


def _explained(spec: ModelSpec, explainer: Explainer, version: dict[str, Any]) -> dict[str, Any]:
    """An answer with reasons."""
    reasons = {"type": "array", "minItems": len(spec.data.columns), "maxItems": len(spec.data.columns), "items": _reason(spec, explainer)}
    order = "The weightiest first" + (", of the most probable class against all others." if spec.data.classes else ".")
    explained = _answered(spec, **_scored(spec), reasons=reasons | {"description": order})
    method = {"const": explainer.method, "description": "How contributions are had."}
    return _object(predictions={"type": "array", "items": explained}, base=_base(spec), model_version=version, method=method)


def _base(spec: ModelSpec) -> dict[str, Any]:
    """What a row's contributions are added to."""
    if spec.data.classes:
        words = "Log-odds: the base of a row's class plus its contributions is the logit of that class's probability."
        return _object(**{name: {"type": "number"} for name in spec.data.classes}) | {"description": words}
    words = "Log-odds: the base plus a row's contributions is the logit of its score."
    if spec.task == "regression":
        words = f"In the unit of {spec.data.target}: the base plus a row's contributions is its score."
    return {"type": "number", "description": words}


def _reason(spec: ModelSpec, explainer: Explainer) -> dict[str, Any]:
    value = {"type": ["string", "number", "boolean", "null"], "description": "The row's own value."}
    unit = links.of(spec.task).unit
    contribution = {"type": "number", "description": f"What the column adds to the score, in {unit}."}
    error = {"type": "number", "minimum": 0, "description": f"The contribution's standard error, in {unit}."}
    errors = {"error": error} if explainer.method == "sampled" else {}
    return _object(column={"enum": list(spec.data.columns)}, value=value, contribution=contribution, **errors)


def _answered(spec: ModelSpec, **properties: dict[str, Any]) -> dict[str, Any]:
    """A row's answer, which has what was looked up for it, if anything was."""
    answer = _object(**properties)
    if spec.features:
        answer["properties"]["features"] = _groups(spec)
    return answer


def _groups(spec: ModelSpec) -> dict[str, Any]:
    time = {"type": ["string", "null"], "description": "The record's event time; null where there is no record that is new enough."}
    groups = {}
    for group, lookup in spec.features.items():
        values = {column: _schema(spec.data.columns[column]) for column in lookup.columns}
        groups[group] = _object(event_time=time, values=_object(**values))
    looked_up = {"type": "object", "properties": groups, "additionalProperties": False}
    return looked_up | {"description": "What the row was answered with, of each feature group that it did not have the columns of itself."}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object that has exactly these properties."""
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def _refusal(description: str) -> dict[str, Any]:
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {"description": description, "content": {JSON: {"schema": error}}}
