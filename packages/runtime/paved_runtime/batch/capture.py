"""What a batch scored, in the form of SageMaker's data capture, so that the monitor sees it beside what the endpoint was asked.

The names of these objects begin otherwise than SageMaker's own: nobody invoked the endpoint for their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from paved_runtime.batch.lines import Answer, Part
from paved_runtime.batch.results import Outcome
from paved_runtime.media_types import JSON
from paved_runtime.protocol import BATCH_CAPTURE

MOST = 100_000  # rows of a batch, spread evenly over it
ROWS = 20_000  # in an object


class Capture:
    """Writes every so-manieth row of a batch, at most MOST of them; `rows` says how many it has written."""

    def __init__(self, folder: Path, *, of: int, version: str, execution: str, moment: datetime) -> None:
        """`folder` is that of the version's variant, `of` how many rows the batch has, `moment`, in UTC, when they count as scored."""
        self.rows = 0
        self._every, self._version, self._execution = max(1, -(-of // MOST)), version, execution
        self._folder, self._time = folder / f"{moment:%Y/%m/%d/%H}", f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        self._encode = msgspec.json.Encoder().encode

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Write those of some rows, whose answers are the version's."""
        lines = [self._line(part, answer) for part, answer, _ in outcomes if part.number % self._every == 0]
        while lines:
            room = ROWS - self.rows % ROWS
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / f"{BATCH_CAPTURE}{self._execution}-{self.rows // ROWS}.jsonl").open("ab") as stream:
                stream.writelines(lines[:room])
            self.rows += len(lines[:room])
            lines = lines[room:]

    def _line(self, part: Part, answer: Answer) -> bytes:
        said = self._encode(answer).decode()
        output = said if answer.error else f'{{"predictions":[{said}],"model_version":"{self._version}"}}'
        data = {"endpointInput": _body("INPUT", bytes(part.row).decode()), "endpointOutput": _body("OUTPUT", output)}
        name = f"{self._execution}-{part.number}"
        event = {"eventId": name, "inferenceId": part.id or name, "inferenceTime": self._time}
        return self._encode({"captureData": data, "eventMetadata": event, "eventVersion": "0"}) + b"\n"


def _body(mode: str, data: str) -> dict[str, Any]:
    return {"observedContentType": JSON, "mode": mode, "data": data, "encoding": "JSON"}
