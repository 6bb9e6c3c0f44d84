"""What was seen on AWS goes to its row, and what a run costs is said before it is made."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cli.problem import Problem
from cli.verification import rows, run
from cli.verification.__main__ import written

TABLE = """# What was verified

| what | verified | AWS page |
|---|---|---|
| KMS grants; `a \\| b` | ran here | KMS guide |
| dashboard | synth and lint only | CloudWatch guide |
| alarms: M of N | ran here | CloudWatch guide |

The end.
"""
PLANNED = [{"test": "a", "row": "KMS grants"}, {"test": "b", "row": "KMS grants"}, {"test": "c", "row": "alarms"}]


def column(text: str) -> list[str]:
    """The last cell of each row."""
    return [rows.cells(line)[-1] for line in text.splitlines() if line.startswith("| ")]


def results(**outcomes: str) -> list[dict[str, Any]]:
    return [{"test": test, "outcome": outcome} for test, outcome in outcomes.items()]


def test_a_row_says_when_where_and_how_many_of_its_tests_were_seen() -> None:
    first = rows.record({}, results(a="passed"), day=date(2026, 12, 1), region="eu-west-1")
    then = rows.record(first, results(b="failed", c="passed"), day=date(2026, 12, 3), region="us-east-1")

    assert column(rows.table(TABLE, PLANNED, {})) == ["seen on AWS", "never", "-", "never"]
    assert column(rows.table(TABLE, PLANNED, first)) == ["seen on AWS", "2026-12-01, eu-west-1: 1 of 2 tests passed", "-", "never"]
    assert column(rows.table(TABLE, PLANNED, then))[1] == "2026-12-03, us-east-1: 1 of 2 tests passed"
    assert column(rows.table(TABLE, PLANNED, then))[3] == "2026-12-03, us-east-1: 1 of 1 tests passed"


def test_all_else_in_the_table_stays_and_writing_it_again_changes_nothing() -> None:
    once = rows.table(TABLE, PLANNED, {})

    assert rows.table(once, PLANNED, {}) == once
    assert "| KMS grants; `a \\| b` | ran here | KMS guide | never |" in once
    assert once.startswith("# What was verified\n\n| what | verified | AWS page | seen on AWS |\n|---|---|---|---|\n")
    assert once.endswith("\n\nThe end.\n")


def test_the_newest_result_of_a_test_counts() -> None:
    first = rows.record({}, results(a="passed"), day=date(2026, 12, 1), region="eu-west-1")

    then = rows.record(first, results(a="failed"), day=date(2026, 12, 2), region="eu-west-1")

    assert then == {"a": {"date": "2026-12-02", "region": "eu-west-1", "outcome": "failed"}}


@pytest.mark.parametrize(("row", "why"), [("nothing", "no row of"), ("", "3 rows of")])
def test_a_test_of_no_row_or_of_several_is_a_problem(row: str, why: str) -> None:
    with pytest.raises(Problem, match=why):
        rows.table(TABLE, [{"test": "a", "row": row}], {})


def test_the_estimate_grows_with_what_starts_instances_and_shrinks_with_what_runs_at_once() -> None:
    plain, heavy = {"instances": False}, {"instances": True}

    assert run.estimate([plain] * 60, 1) == (1.0, 0.0)
    hours, instances = run.estimate([heavy] * 8, 2)
    assert (hours, instances) == (1.0, 4.0)


@pytest.mark.slow
def test_the_last_column_is_that_of_the_marks_and_of_what_was_seen() -> None:
    """Where it is not: `./road exec python -m cli.verification`."""
    text = rows.TABLE.read_text()

    assert written(text) == text
