"""CSV files as people have them: what the road reads is commas, UTF-8 and a header; anything else is named, with what was found."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from cli.problem import Problem
from paved_runtime import csv_text


@contextmanager
def rows(file: Path, what: str = "data file") -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The header of a file, which refusals call `what`, and its rows.

    Raises:
        Problem: there is no such file, it has no header, or it is separated or encoded otherwise; also while rows are read.
    """
    subject = f"{what} {file}"
    try:
        if not file.is_file():
            raise Problem(subject, "there is no such file", "name a CSV file with a header")
        stream = file.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise Problem(subject, error.strerror or str(error), "name a CSV file that can be read") from error
    try:
        with stream:
            first = stream.readline()
            _separated_by_commas(subject, first)
            lines = csv_text.rows(chain([first], stream))
            header = next(lines, [])
            _check(subject, header)
            yield header, lines
    except UnicodeDecodeError as error:
        found = f"found byte 0x{error.object[error.start]:02x}"
        raise Problem(subject, f"it is not UTF-8: {found}", "store it as CSV in UTF-8") from error
    except csv.Error as error:
        raise Problem(subject, f"it is not CSV: {error}", "store it as CSV in UTF-8, with commas") from error


def _separated_by_commas(subject: str, first: str) -> None:
    if name := csv_text.other_separator(first):
        why = f"found a header separated by {name}: {csv_text.shortened(first.strip())}"
        raise Problem(subject, why, "store it as CSV with commas")


def _check(subject: str, header: list[str]) -> None:
    if not any(cell.strip() for cell in header):
        raise Problem(subject, "it has no header: its first line is empty", "write the columns' names into the first line")
    shown = csv_text.shortened(",".join(header))
    if "\0" in ",".join(header):
        raise Problem(subject, f"it is UTF-16 or no text; the header is {shown}", "store it as CSV in UTF-8")
    for name, count in Counter(header).items():
        if not name:
            raise Problem(subject, f"a column has no name; the header is {shown}", "give every column a name")
        if name != name.strip():
            what = f"column {csv_text.shortened(name)} begins or ends with a space"
            raise Problem(subject, f"{what}; the header is {shown}", "take the spaces out")
        if count > 1:
            raise Problem(subject, f"{count} columns are called {csv_text.shortened(name)}", "give each column a name of its own")
