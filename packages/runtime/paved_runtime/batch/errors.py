"""What ends a batch before any row of it is worth anything."""

from __future__ import annotations

from collections.abc import Sequence


class FileError(ValueError):
    """A file that cannot be read as rows: the line, what was expected, what is there instead."""


class BatchError(ValueError):
    """A batch that is refused, or not whole: one problem a line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
