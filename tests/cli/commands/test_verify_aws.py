"""`road verify-aws`: asks before it makes anything, and a rehearsal runs what describes AWS and leaves nothing."""

from __future__ import annotations

import json

import pytest

from tests.support.road import Road

GRANTS = "packages/localcloud/tests/kms/test_grants.py"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--profile", "one"], "one"),
        ([], "two accounts are needed, as tests reach from one into the other; --profile names 0"),
        (["--remove", "va000000"], "run va000000: the runs of this clone are none: name one of them"),
        (["--target", "local", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_verified_is_said_in_a_line(road: Road, arguments: list[str], why: str) -> None:
    done = road("verify-aws", *arguments)

    assert done.returncode in (1, 2)
    assert why in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_rehearsal_passes_leaves_nothing_and_writes_no_document(road: Road) -> None:
    done = road("verify-aws", "--target", "local", GRANTS, "--json")

    assert done.returncode == 0, done.stderr
    machine = json.loads(done.stdout)
    assert (machine["failed"], machine["skipped"], machine["left"]) == ([], [], [])
    assert machine["passed"] >= 2
    assert all("verify-aws" in file for file in machine["files"])
