"""A test that does not say whether an account can show it is not run: nothing is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.testing.verification import Verification

pytestmark = pytest.mark.laptop("how tests are marked")
FILE = "asked/test_marked.py"
CONFTEST = """
from pathlib import Path
from localcloud.testing import marks

def pytest_configure(config):
    marks.configure(config)

def pytest_collection_modifyitems(items):
    marks.require(items, [Path(__file__).parent / "asked"], marks.read(Path(__file__).with_name("seen.json")))
"""
MARKED = """
import pytest

@pytest.mark.aws("KMS grants")
def test_one(): pass

@pytest.mark.aws("KMS grants")
def test_two(): pass

@pytest.mark.laptop("looks inside")
def test_three(): pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder whose tests are asked for marks, and one whose tests are not."""
    (tmp_path / "asked").mkdir()
    (tmp_path / "free").mkdir()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "asked/test_marked.py").write_text(MARKED)
    (tmp_path / "free/test_free.py").write_text("def test_it(): pass\n")
    return tmp_path


def collected(suite: Path, *options: str, **variables: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--strict-markers", *options, str(suite)]
    env = {**os.environ, **variables}
    done = subprocess.run(command, cwd=suite, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_marked_tests_are_collected_and_chosen_by_whether_they_were_seen(suite: Path) -> None:
    there = {"date": "2026-11-30", "region": "eu-west-1"}
    seen = {f"{FILE}::test_one": {**there, "outcome": "passed"}, f"{FILE}::test_two": {**there, "outcome": "failed"}}
    (suite / "seen.json").write_text(json.dumps(seen))

    assert collected(suite)[0] == 0
    assert "4 tests collected" in collected(suite)[1]
    assert "test_one" in collected(suite, "-m", "seen")[1]
    assert "test_two" in collected(suite, "-m", "unseen")[1]
    assert "1/4 tests collected" in collected(suite, "-m", "seen")[1]


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ("", "test_it: it has neither @pytest.mark.aws nor @pytest.mark.laptop"),
        ('@pytest.mark.aws("a")\n@pytest.mark.laptop("b")\n', "test_it: it has both marks"),
        ("@pytest.mark.aws\n", "test_it: aws takes one sentence"),
        ("@pytest.mark.laptop(3)\n", "test_it: laptop takes one sentence"),
    ],
)
def test_collection_fails_where_a_mark_is_missing_or_wrong(suite: Path, mark: str, why: str) -> None:
    (suite / "asked/test_new.py").write_text(f"import pytest\n\n{mark}def test_it(): pass\n")

    code, said = collected(suite)

    assert code == pytest.ExitCode.USAGE_ERROR
    assert why in said


def test_on_accounts_only_what_describes_aws_is_run_and_planned(suite: Path) -> None:
    verification = Verification(prefix="va000000", region="eu-west-1", profiles={"1": "a", "2": "b"}, folder=suite)

    code, said = collected(suite, **verification.as_environment())

    assert (code, "test_two" in said, "test_three" in said, "test_free" in said) == (0, True, False, False), said
    planned = [json.loads(line) for line in verification.plan.read_text().splitlines()]
    assert planned == [{"test": f"{FILE}::{name}", "row": "KMS grants", "instances": False} for name in ("test_one", "test_two")]
