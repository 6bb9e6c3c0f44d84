"""Golden requests: what evaluation saw the model answer, every later copy of it must answer too, digit for digit.

Their rows are drawn from the contract, not from the data set: no customer's record travels inside a model.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from paved_runtime import dates, links, made_up, protocol
from paved_runtime.artifact import ArtifactError
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import CSV, JSON
from paved_runtime.moments import Moment
from paved_runtime.protocol import Score
from paved_runtime.rules import Value
from paved_runtime.spec import Boolean, Category, Column, Date, Integer, ModelSpec, Text

TOLERANCE = 1e-6  # of a score's span
REASONS_TOLERANCE = {"exact": 1e-4, "sampled": 1e-3}  # log-odds, or of the span; sampled ones have the rounding of many scores in them
UNIT = "log-odds"  # of reasons, where an older model does not say so
EMPTY = 0.2  # how often a cell that may be missing is
MOST_WORDS = 12
Row = dict[str, Value]


def record(spec: ModelSpec, model: Invocations) -> dict[str, Any]:
    """The content of golden.json: what `model` answers, scores to `requests`, reasons, where it has some, to `explained`; of bad requests,
    the status due.
    """
    draw = random.Random(spec.name)  # noqa: S311 - the same rows every time is the point
    edges = [_row(spec, lambda column: _edge(column, 0)), _row(spec, lambda column: _edge(column, -1))]
    drawn = [_row(spec, lambda column: _drawn(column, draw)) for _ in range(51)]
    bodies: list[dict[str, Any]] = [dict(drawn[0]), {"instances": drawn[:1]}, {"instances": edges}, {"instances": drawn[1:]}]
    question = {"instances": [*edges, drawn[0]], "explain": True}
    refused = {"body": json.dumps(question), "content_type": JSON, "expect": 400}
    return {
        "content_type": JSON,
        "tolerance": TOLERANCE * spec.data.span,
        "requests": [{"body": body, "scores": answered(model, body)} for body in bodies],
        **_explained(spec, model, question),
        "bad_requests": [*_bad_requests(spec, drawn[0]), *([] if model.explainer else [refused])],
    }


def replay(golden: dict[str, Any], model: Invocations) -> None:
    """Send every golden request again.

    Raises:
        ArtifactError: an answer differs from the recorded one, or none was recorded to a question that the model answers.
    """
    for number, request in enumerate(golden["requests"], start=1):
        difference = _largest(protocol.apart(answered(model, request["body"]), request["scores"]))
        if not difference <= golden["tolerance"]:
            raise ArtifactError(f"golden request {number} is answered differently than in evaluation, by {difference:.2g}")
    if (explained := golden.get("explained")) is not None:
        _replay_reasons(explained, model)
    elif model.explainer is not None:
        raise ArtifactError("the model gave no reasons in evaluation, this image's model.toml wants some: train the model again")
    for bad in golden["bad_requests"]:
        status = model.reply(bad["content_type"], bad["body"].encode()).status
        if status != bad["expect"]:
            raise ArtifactError(f"bad request {bad['body'][:60]!r} is answered {status}, not {bad['expect']} as in evaluation")


def answered(model: Invocations, body: dict[str, Any]) -> list[Score]:
    """The scores of a JSON request. Raises ArtifactError where it is refused, or a row gets no finite score."""
    try:
        return protocol.scores(_reply(model, body))
    except TypeError as error:  # JSON has no other number for it than null
        raise ArtifactError("a golden request gets a score that is no finite number: see what the features do with its rows") from error


def reasons(model: Invocations, body: dict[str, Any]) -> dict[str, Any]:
    """The base of a JSON request that asks for reasons, and each row's contributions by column. Raises ArtifactError."""
    return protocol.reasons(_reply(model, body))


def _reply(model: Invocations, body: dict[str, Any]) -> dict[str, Any]:
    reply = model.reply(JSON, json.dumps(body).encode())
    if reply.status != 200:
        raise ArtifactError(f"a golden request is refused: {reply.body.decode()}")
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


def _explained(spec: ModelSpec, model: Invocations, body: dict[str, Any]) -> dict[str, Any]:
    """The part of golden.json about a request for reasons; nothing where the model gives none."""
    if model.explainer is None:
        return {}
    tolerance = REASONS_TOLERANCE[model.explainer.method] * spec.data.span
    return {"explained": {"body": body, "tolerance": tolerance, "unit": links.of(spec.task).unit, **reasons(model, body)}}


def _replay_reasons(explained: dict[str, Any], model: Invocations) -> None:
    difference = _largest(protocol.reasons_apart(reasons(model, explained["body"]), explained))
    if not difference <= explained["tolerance"]:
        unit = explained.get("unit", UNIT)
        raise ArtifactError(f"the golden request's reasons differ from evaluation's, by {difference:.2g} in {unit}")


def _largest(differences: Iterable[float]) -> float:
    """The largest of some differences, and NaN where one of them is."""
    return float(np.max(list(differences)))


def _bad_requests(spec: ModelSpec, row: Row) -> list[dict[str, Any]]:
    """One request for each way of being wrong. `expect` is what the contract of the service says, not what was observed."""
    needed = [name for name, column in spec.data.columns.items() if not column.missing]
    first = (needed or list(spec.data.columns))[0]
    all_texts = all(isinstance(column, Text) for column in spec.data.columns.values())
    lacking = {name: value for name, value in row.items() if name != first}

    def wrong(value: object) -> str:
        return json.dumps({"instances": [row, {**row, first: value}]})

    bodies = [
        ("", JSON, 400),
        ("{", JSON, 400),
        ("[]", JSON, 400),
        ("\ufeff" + json.dumps(row), JSON, 400),
        ("[" * 10_000, JSON, 400),
        (json.dumps(row).replace("{", f'{{"{first}": 1, ', 1), JSON, 400),
        ('{"instances": []}', JSON, 422),
        ('{"instances": [7]}', JSON, 422),
        (json.dumps({"instances": [row], "explain": "yes"}), JSON, 422),
        (json.dumps({"instances": [row], "describe": True}), JSON, 400),
        (json.dumps({**row, "explain": True}), JSON, 400),
        ('{"describe": false}', JSON, 422),
        (json.dumps(lacking), JSON, 422),
        (json.dumps({**row, "no such column": 1}), JSON, 422),
        *[(wrong(None), JSON, 422) for _ in needed[:1]],
        (wrong("\ud800"), JSON, 422),
        (wrong({"nested": [1]}), JSON, 422),
        (wrong(1e300), JSON, 422),
        (wrong(float("nan")), JSON, 400),
        ("", CSV, 400),
        *(bad for bad in (("1,2,3\n", CSV, 422), (",".join("x" * len(spec.data.columns)) + "\n", CSV, 422)) if not all_texts),
        (json.dumps(row), "application/xml", 415),
    ]
    return [{"body": body, "content_type": kind, "expect": status} for body, kind, status in bodies]


def _row(spec: ModelSpec, pick: Callable[[Column], Value]) -> Row:
    """A row of picked cells, of which no date is later than the decision."""
    row = {name: pick(column) for name, column in spec.data.columns.items()}
    if moment := Moment.among_features(spec.data):
        days = {name: row[name] for name in moment.dates if row[name] is not None}
        row[moment.column] = latest = max([row[moment.column], *(_edge(spec.data.columns[name], 0) for name in days)], key=str)
        row |= {name: min(day, latest, key=str) for name, day in days.items()}
    return row


def _edge(column: Column, end: int) -> Value:
    if isinstance(column, Date):
        return dates.written(column.days[end])
    if isinstance(column, Text):
        return "a" if end == 0 else ("made up " * column.maximum_length)[: column.maximum_length].rstrip().ljust(column.maximum_length, "s")
    if isinstance(column, Boolean):
        return (False, True)[end]
    ends = column.values if isinstance(column, Category) else (column.minimum, column.maximum)
    return ends[end]


def _drawn(column: Column, draw: random.Random) -> Value:
    if column.missing and draw.random() < EMPTY:
        return None
    if isinstance(column, Category):
        return draw.choice(column.values)
    if isinstance(column, Boolean):
        return draw.choice((False, True))
    if isinstance(column, Text):
        return made_up.text(draw.randint(1, MOST_WORDS), draw)[: column.maximum_length].strip()
    if isinstance(column, Date):
        return dates.written(draw.randint(*map(int, column.days)))
    if isinstance(column, Integer):
        return draw.randint(column.minimum, column.maximum)
    return draw.uniform(column.minimum, column.maximum)
