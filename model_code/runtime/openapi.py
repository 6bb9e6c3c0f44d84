"""The request's JSON schema, from `model.toml`: FastAPI documents the service, but never sees the requests of /invocations."""

from __future__ import annotations

from typing import Any

from model_code.runtime.invocations import CSV, JSON, LIMIT
from model_code.spec import Category, Column, Integer, ModelSpec

REFUSALS = {
    "400": "The body cannot be read at all.",
    "413": f"The body is larger than {LIMIT} bytes.",
    "415": f"The content type is neither {JSON} nor {CSV}.",
    "422": "A row or value breaks the data contract; the error names row, column and what was expected.",
}


def invocations(spec: ModelSpec) -> dict[str, Any]:
    """The OpenAPI path item of /invocations."""
    row = {
        "type": "object",
        "required": list(spec.features),
        "properties": {name: _schema(column) for name, column in spec.data.columns.items()}
        | {name: {"description": "Accepted and ignored."} for name in (*spec.data.exclude, spec.data.target)},
        "additionalProperties": False,
    }
    batch = {
        "type": "object",
        "required": ["instances"],
        "properties": {"instances": {"type": "array", "minItems": 1, "items": row}},
        "additionalProperties": False,
    }
    table = {"type": "string", "description": f"One row a line, no header: {', '.join(spec.features)}"}
    return {
        "post": {
            "operationId": "invocations",
            "summary": spec.purpose,
            "requestBody": {"required": True, "content": {JSON: {"schema": {"oneOf": [batch, row]}}, CSV: {"schema": table}}},
            "responses": {"200": _answer()} | {status: _refusal(text) for status, text in REFUSALS.items()},
        }
    }


def _schema(column: Column) -> dict[str, Any]:
    if isinstance(column, Category):
        return {"type": "string", "enum": list(column.values)}
    kind = "integer" if isinstance(column, Integer) else "number"
    return {"type": kind, "minimum": column.minimum, "maximum": column.maximum}


def _answer() -> dict[str, Any]:
    score = {"type": "number", "minimum": 0, "maximum": 1}
    prediction = {"type": "object", "required": ["score"], "properties": {"score": score}}
    answer = {
        "type": "object",
        "required": ["predictions", "model_version"],
        "properties": {"predictions": {"type": "array", "items": prediction}, "model_version": {"type": "string"}},
    }
    lines = {"type": "string", "description": "One score a line."}
    return {"description": "A score for each row, in order.", "content": {JSON: {"schema": answer}, CSV: {"schema": lines}}}


def _refusal(description: str) -> dict[str, Any]:
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {"description": description, "content": {JSON: {"schema": error}}}
