"""Lines of the request log, as SageMaker's data capture writes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fakes import END

ENDPOINT, VARIANT = "scores-production", "AllTraffic"
Row = Mapping[str, Any]
Score = float | Mapping[str, float]


def key(version: str, at: datetime = END, name: str = "a.jsonl") -> str:
    """Where SageMaker puts what it captured."""
    return f"capture/{version}/{ENDPOINT}/{VARIANT}/{at:%Y/%m/%d/%H}/{name}"


def line(request: str, answer: str | None, *, encoding: str = "JSON", at: datetime | None = None, name: str | None = None) -> str:
    """One captured request."""

    def part(data: str, mode: str) -> dict[str, str]:
        kind = "application/json" if data.lstrip()[:1] in ("{", "[") else "text/csv; charset=utf-8"
        written = base64.b64encode(data.encode()).decode() if encoding == "BASE64" else data
        return {"observedContentType": kind, "mode": mode, "data": written, "encoding": encoding}

    data = {"endpointInput": part(request, "INPUT")} | ({} if answer is None else {"endpointOutput": part(answer, "OUTPUT")})
    event = {"eventId": "0-1", "inferenceTime": f"{at or END.replace(hour=11):%Y-%m-%dT%H:%M:%SZ}"} | (
        {"inferenceId": name} if name else {}
    )
    return json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"}) + "\n"


def prediction(score: Score) -> dict[str, Any]:
    """What is answered of a row: its score, or the probability of each class."""
    return {"class": max(score, key=score.__getitem__), "scores": score} if isinstance(score, Mapping) else {"score": score}


def json_line(rows: Sequence[Row], scores: Sequence[Score], **event: Any) -> str:
    """A captured request in JSON: one bare row, or several as instances."""
    request = rows[0] if len(rows) == 1 else {"instances": list(rows)}
    answer = {"predictions": [prediction(score) for score in scores], "model_version": "0123456789ab"}
    return line(json.dumps(request), json.dumps(answer), **event)


def csv_line(rows: Sequence[Row], scores: Sequence[Score], **event: Any) -> str:
    """The same as CSV."""
    request = "".join(",".join("" if cell is None else str(cell) for cell in row.values()) + "\n" for row in rows)
    answers = [list(score.values()) if isinstance(score, Mapping) else [score] for score in scores]
    answer = "".join(",".join(map(repr, numbers)) + "\n" for numbers in answers)
    return line(request, answer, encoding=event.pop("encoding", "CSV"), **event)
