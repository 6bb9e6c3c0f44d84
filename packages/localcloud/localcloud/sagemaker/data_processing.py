"""DataProcessing of a transform job: what of a record is sent to the model, and how its answer is joined to the record.

By the API reference (DataProcessing) and SageMaker's guide ("Associate Prediction Results with Input Records"). That an answer with another
number of lines than there were records fails the file is localcloud's.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from localcloud.core.errors import invalid
from localcloud.sagemaker.json_paths import Absent, Path, parsed

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
INPUT, OUTPUT = "SageMakerInput", "SageMakerOutput"


class Unreadable(Exception):
    """Why a record, or its answer, is not what the filters or the join need."""


@dataclass(frozen=True)
class DataProcessing:
    """Filters and join, of records that are rows of CSV or else values of JSON; of a whole file, each of its `lines` or the one value."""

    csv: bool
    lines: bool
    sends: Path
    keeps: Path
    joins: bool

    def sent(self, record: bytes) -> bytes:
        """What of a record the model gets. Raises Unreadable."""
        return self._selected(self.sends, self._read(record)) if self.sends.steps else record

    def kept(self, record: bytes, answer: bytes) -> bytes:
        """What is stored of a record and its answer. Raises Unreadable."""
        if not self.joins and not self.keeps.steps:
            return answer
        value = self._read(answer)
        return self._selected(self.keeps, self._joined(self._read(record), value) if self.joins else value)

    def _joined(self, record: Any, answer: Any) -> Any:
        if self.csv:
            return [*record, *answer]
        return {**(record if isinstance(record, dict) else {INPUT: record}), OUTPUT: answer}

    def _selected(self, path: Path, value: Any) -> bytes:
        try:
            chosen = path.select(value)
        except Absent as problem:
            raise Unreadable(str(problem)) from problem
        if self.csv:
            return _row(chosen if isinstance(chosen, list) else [chosen])
        return json.dumps(chosen, ensure_ascii=False, separators=(",", ":")).encode()

    def _read(self, data: bytes) -> Any:
        try:
            text = data.decode()
            return next(csv.reader([text], strict=True), []) if self.csv else json.loads(text, parse_constant=_refuse)
        except (ValueError, csv.Error) as problem:
            raise Unreadable(f"Failed to parse as {'CSV' if self.csv else 'JSON'}: {problem}") from problem


def _row(values: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue().encode()


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def read(request: Mapping[str, Any]) -> DataProcessing | None:
    """Of CreateTransformJob's request; None where records and answers go as they are.

    Raises an AWS error for an expression, or for types of content, that localcloud cannot honour.
    """
    said = request.get("DataProcessing", {})
    sends, keeps = (_path(name, said.get(name, "$")) for name in ("InputFilter", "OutputFilter"))
    joins = said.get("JoinSource", "None") == "Input"
    if not (sends.steps or keeps.steps or joins):
        return None
    source, target = request["TransformInput"], request["TransformOutput"]
    kind = _kind(source.get("ContentType"))
    if kind not in (CSV, JSON, LINES):
        raise invalid(f"DataProcessing is for {CSV}, {JSON} and {LINES}, and the ContentType is {kind or 'not said'}")
    if ((_kind(target.get("Accept")) or kind) == CSV) != (kind == CSV):
        raise invalid(f"localcloud processes data whose ContentType ({kind}) and Accept ({target['Accept']}) are both CSV or both JSON")
    if source.get("SplitType", "None") == "Line" and target.get("AssembleWith", "None") != "Line":
        raise invalid("localcloud processes data that is split by Line where it is also assembled with Line")
    return DataProcessing(csv=kind == CSV, lines=kind != JSON, sends=sends, keeps=keeps, joins=joins)


def _path(name: str, text: str) -> Path:
    try:
        return parsed(text)
    except ValueError as problem:
        raise invalid(f"localcloud cannot honour {name} {problem}") from problem


def _kind(content_type: str | None) -> str:
    """A content type without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()
