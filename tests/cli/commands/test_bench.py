"""`road bench`: one of bench/'s programs, typed as its own options want it, where the person stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.road import each, road_in
from tests.support.tree import reference_tree

PROGRAM = """
import os, sys
print(sys.argv[1:], os.getcwd())
"""


@pytest.fixture
def own_tree(tmp_path: Path) -> Path:
    """A tree with one more measurement."""
    tree = reference_tree(tmp_path / "own")
    (tree / "bench/echo.py").write_text(PROGRAM)
    return tree


def test_options_go_to_the_program_and_paths_mean_what_the_person_means(own_tree: Path, tmp_path: Path) -> None:
    typed = ["bench", "echo", "--rows", "5", "--out", "here", "--json"]
    done = road_in(own_tree, tmp_path / "cloud")(*typed, ROAD_CWD=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "bench/echo.py\n")
    assert done.stdout == f"['--rows', '5', '--out', 'here', '--json'] {tmp_path}\n"


def test_a_program_that_is_none_or_fails_is_one_line(own_tree: Path, tmp_path: Path) -> None:
    (own_tree / "bench/echo.py").write_text("raise SystemExit(3)")
    unknown, failing = each(own_tree, tmp_path / "cloud", [["bench", "nothing"], ["bench", "echo"]])

    known = ", ".join(sorted(path.stem for path in (own_tree / "bench").glob("[!_]*.py")))
    assert (unknown.code, unknown.err) == (2, f"road: bench nothing: bench/ has {known}: name one of them\n")
    assert (failing.code, failing.err) == (1, "bench/echo.py\nroad: bench/echo.py: it failed: see what it printed above\n")
