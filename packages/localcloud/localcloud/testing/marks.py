"""Whether an account can show what a test shows, and whether one ever has: the marks of every test that speaks to AWS.

A test of AWS's behaviour runs unchanged on localcloud and on an account. What it shows is a row of a table of what was verified, which
is written anew from what happened on accounts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from localcloud.testing import ACCOUNT, OTHER, VERIFICATION

AWS = "aws"
LAPTOP = "laptop"
across = pytest.mark.skipif(ACCOUNT == OTHER, reason="it takes two accounts")
DESCRIPTIONS = (
    "aws(row): AWS's behaviour, the same on an account; row: how its row in docs/verified.md begins",
    "laptop(why): nothing that an account could show, and why",
)


def configure(config: pytest.Config) -> None:
    """Make the marks known. For pytest_configure."""
    for description in DESCRIPTIONS:
        config.addinivalue_line("markers", description)


def require(items: list[pytest.Item], folders: Sequence[Path]) -> None:
    """Leave out, on accounts, what no account can show. For pytest_collection_modifyitems.

    Raises:
        UsageError: a test in one of the folders has not one of the two marks.
    """
    mine = [item for item in items if any(item.path.is_relative_to(folder) for folder in folders)]
    wrong = sorted({f"{item.nodeid.partition('[')[0]}: {problem}" for item in mine if (problem := _problem(item))})
    if wrong:
        raise pytest.UsageError("each test says whether an account can show it:\n" + "\n".join(wrong))
    if VERIFICATION:
        items[:] = [item for item in mine if item.get_closest_marker(AWS)]


def row(item: pytest.Item) -> str | None:
    """How the row of a test of AWS's behaviour begins; none for others."""
    mark = item.get_closest_marker(AWS)
    return str(mark.args[0]) if mark else None


def write(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add what came of a test on accounts to the run's results. For pytest_runtest_makereport."""
    if VERIFICATION is None or not (report.when == "call" or report.failed or report.skipped):
        return
    line = {"row": row(item), "test": item.nodeid, "outcome": report.outcome, "seconds": round(report.duration, 1)}
    with VERIFICATION.results.open("a", encoding="utf-8") as results:
        results.write(json.dumps(line) + "\n")


def _problem(item: pytest.Item) -> str | None:
    marks = [mark for name in (AWS, LAPTOP) for mark in item.iter_markers(name)][:2]
    nearest = [item.get_closest_marker(name) for name in (AWS, LAPTOP)]
    if not marks:
        return "it has neither @pytest.mark.aws nor @pytest.mark.laptop"
    if all(nearest):
        return "it has both marks"
    mark = marks[0]
    return None if len(mark.args) == 1 and isinstance(mark.args[0], str) and not mark.kwargs else f"{mark.name} takes one sentence"
