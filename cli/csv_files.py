"""CSV files as people have them: what the road reads is commas, UTF-8 and a header; anything else is named, with what was found."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.problem import Problem

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
SHOWN = 80  # characters of a header


@contextmanager
def rows(file: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The header of a file, and its rows.

    Raises:
        Problem: there is no such file, it has no header, or it is separated or encoded otherwise; also while rows are read.
    """
    try:
        if not file.is_file():
            raise Problem(f"data file {file}", "there is no such file", "name a CSV file with a header")
        stream = file.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise Problem(f"data file {file}", error.strerror or str(error), "name a CSV file that can be read") from error
    try:
        with stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            _check(file, header)
            yield header, reader
    except UnicodeDecodeError as error:
        found = f"found byte 0x{error.object[error.start]:02x}"
        raise Problem(f"data file {file}", f"it is not UTF-8: {found}", "store it as CSV in UTF-8") from error
    except csv.Error as error:
        raise Problem(f"data file {file}", f"it is not CSV: {error}", "store it as CSV in UTF-8, with commas") from error


def _check(file: Path, header: list[str]) -> None:
    if not any(cell.strip() for cell in header):
        raise Problem(f"data file {file}", "it has no header: its first line is empty", "write the columns' names into the first line")
    shown = shortened(",".join(header), SHOWN)
    if "\0" in ",".join(header):
        raise Problem(f"data file {file}", f"it is UTF-16 or no text; the header is {shown}", "store it as CSV in UTF-8")
    if len(header) == 1:
        for separator, name in SEPARATORS.items():
            if separator in header[0]:
                raise Problem(f"data file {file}", f"found a header separated by {name}: {shown}", "store it as CSV with commas")
    for name, count in Counter(header).items():
        if not name:
            raise Problem(f"data file {file}", f"a column has no name; the header is {shown}", "give every column a name")
        if name != name.strip():
            what = f"column {shortened(name, SHOWN)} begins or ends with a space"
            raise Problem(f"data file {file}", f"{what}; the header is {shown}", "take the spaces out")
        if count > 1:
            raise Problem(f"data file {file}", f"{count} columns are called {shortened(name, SHOWN)}", "give each column a name of its own")


def shortened(text: str, length: int) -> str:
    """A text of a file as one line, in quotes."""
    return repr(text if len(text) <= length else f"{text[: length - 1]}…")
