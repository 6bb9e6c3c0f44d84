"""What was seen on AWS, written down: by test in docs/seen-on-aws.json, by row in the last column of docs/verified.md."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cli.problem import Problem
from cli.tree import HERE

RECORD = HERE / "docs" / "seen-on-aws.json"
TABLE = HERE / "docs" / "verified.md"
SEEN, NEVER, NOTHING = "seen on AWS", "never", "-"  # a row that no test shows on accounts has nothing to be seen
Record = dict[str, dict[str, str]]


def record(before: Record, results: Iterable[Mapping[str, Any]], *, day: date, region: str) -> Record:
    """The record with what came of tests now; the newest result of a test counts."""
    new = {each["test"]: {"date": day.isoformat(), "region": region, "outcome": str(each["outcome"])} for each in results}
    return dict(sorted({**before, **new}.items()))


def read(file: Path = RECORD) -> Record:
    """What is written down; nothing where there is no file yet."""
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def table(text: str, planned: Iterable[Mapping[str, Any]], known: Record) -> str:
    """A table of what was verified with the last column written anew; `planned` are tests with the rows that they show.

    Raises:
        Problem: a test names a row that is not there, or several.
    """
    lines = text.splitlines()
    rows = [number for number, line in enumerate(lines) if line.startswith("| ")]
    tests = _by_row([cells(lines[number])[0] for number in rows[1:]], planned)
    for number in rows:
        what, verified, page, *_ = cells(lines[number])
        last = SEEN if number == rows[0] else _cell(tests.get(what, ()), known)
        lines[number] = f"| {what} | {verified} | {page} | {last} |"
        if number == rows[0]:
            lines[number + 1] = "|---|---|---|---|"
    return "\n".join(lines) + "\n"


def cells(line: str) -> list[str]:
    """Of a row; a bar within a cell is written `\\|`."""
    return [cell.replace("\0", "\\|").strip() for cell in line.replace("\\|", "\0").strip().strip("|").split("|")]


def _by_row(rows: Sequence[str], planned: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    tests = defaultdict(list)
    for each in planned:
        matching = [row for row in rows if row.startswith(each["row"])]
        if len(matching) != 1:
            how = "no row" if not matching else f"{len(matching)} rows"
            raise Problem(each["test"], f'{how} of docs/verified.md begins with "{each["row"]}"', "name exactly one by its beginning")
        tests[matching[0]].append(each["test"])
    return tests


def _cell(tests: Sequence[str], known: Record) -> str:
    if not tests:
        return NOTHING
    outcomes = [known[test] for test in tests if test in known]
    if not outcomes:
        return NEVER
    passed = sum(each["outcome"] == "passed" for each in outcomes)
    newest = max(outcomes, key=lambda each: each["date"])
    return f"{newest['date']}, {newest['region']}: {passed} of {len(tests)} tests passed"
