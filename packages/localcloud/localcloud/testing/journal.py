"""What a run on accounts makes, written down line by line, so that it can be taken away even after the run was killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One call that made something; `response` is empty where it is not known to have succeeded."""

    account: str
    service: str
    operation: str
    request: Json
    response: Json


@dataclass(frozen=True)
class Journal:
    """The file. Each process appends whole lines; two lines a call, before and after."""

    file: Path

    def begin(self, account: str, service: str, operation: str, request: Json) -> None:
        """Before the call."""
        self._append(account, service, operation, request, {})

    def end(self, account: str, service: str, operation: str, response: Json) -> None:
        """After it succeeded; an answer that says nothing is not worth a line."""
        said = {key: value for key, value in response.items() if key != "ResponseMetadata"}
        if said:
            self._append(account, service, operation, {}, said)

    def entries(self) -> Iterator[Entry]:
        """The newest first."""
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        for line in reversed(lines):
            yield Entry(*json.loads(line))

    def _append(self, *fields: Any) -> None:
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(fields, default=_text) + "\n")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
