"""Whether an account can show what a test shows, and whether one ever has: the marks of every test that speaks to AWS.

A test of AWS's behaviour runs unchanged on localcloud and on an account. What it shows is a row of a table of what was verified, which
is written anew from what happened on accounts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from localcloud.testing import ACCOUNT, OTHER, VERIFICATION

AWS = "aws"
LONGEST = 6 * 3600  # seconds that a test may take on accounts
LAPTOP = "laptop"
across = pytest.mark.skipif(ACCOUNT == OTHER, reason="it takes two accounts")
DESCRIPTIONS = (
    "aws(row): AWS's behaviour, the same on an account; row: how its row in docs/verified.md begins",
    "laptop(why): nothing that an account could show, and why",
    "seen(when): it passed on an account, then and there; given by what `./road verify-aws` wrote down",
    "unseen: AWS's behaviour that nobody has seen on an account",
)


def configure(config: pytest.Config) -> None:
    """Make the marks known. For pytest_configure."""
    for description in DESCRIPTIONS:
        config.addinivalue_line("markers", description)


def require(items: list[pytest.Item], folders: Sequence[Path], seen: Mapping[str, str]) -> None:
    """Mark as seen or unseen what describes AWS; on accounts leave out all else. For pytest_collection_modifyitems.

    `seen` says of tests that passed on an account when and where that was.

    Raises:
        UsageError: a test in one of the folders has not one of the two marks.
    """
    mine = [item for item in items if any(item.path.is_relative_to(folder) for folder in folders)]
    wrong = sorted({f"{item.nodeid.partition('[')[0]}: {problem}" for item in mine if (problem := _problem(item))})
    if wrong:
        raise pytest.UsageError("each test says whether an account can show it:\n" + "\n".join(wrong))
    of_aws = [item for item in mine if item.get_closest_marker(AWS)]
    for item in of_aws:
        item.add_marker(pytest.mark.seen(seen[item.nodeid]) if item.nodeid in seen else pytest.mark.unseen)
    if VERIFICATION:
        for item in of_aws:
            item.add_marker(pytest.mark.timeout(LONGEST), append=False)
        items[:] = of_aws
        lines = [json.dumps({"test": i.nodeid, "row": row(i), "instances": "image" in getattr(i, "fixturenames", ())}) for i in of_aws]
        VERIFICATION.plan.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(file: Path) -> dict[str, str]:
    """Which tests passed on an account, with when and where, as `./road verify-aws` has written it down; none where there is no file."""
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return {test: f"{each['date']} {each['region']}" for test, each in content.items() if each["outcome"] == "passed"}


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
