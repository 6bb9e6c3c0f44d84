"""Which tests `road test` runs where: the root's, each package's, each model's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands.test import Suite
from tests.reference import MODEL
from tests.support.environments import with_fake_uv

PROGRAM = """
import json, sys
from cli.commands import test
print(json.dumps({suite.name: paths for suite, paths in test.chosen(sys.argv[1:])}))
"""


@pytest.mark.parametrize(
    ("paths", "suites"),
    [
        ([], {"root": [], "deployability": [], "localcloud": [], "runtime": [], MODEL: []}),
        (["tests/cli"], {"root": ["tests/cli"]}),
        (["packages/runtime/tests/test_split.py", "tests"], {"root": ["tests"], "runtime": ["packages/runtime/tests/test_split.py"]}),
        ([f"model_code/{MODEL}"], {MODEL: [f"model_code/{MODEL}"]}),
    ],
)
def test_paths_go_to_the_suite_they_belong_to(tree: Path, tmp_path: Path, paths: list[str], suites: dict[str, list[str]]) -> None:
    env = with_fake_uv(tree, tmp_path)
    done = subprocess.run([sys.executable, "-c", PROGRAM, *paths], cwd=tree, env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == suites


def test_only_a_whole_suite_takes_every_core() -> None:
    suite = Suite("root", "python", "tests")
    assert suite.command([], [])[3] == "--numprocesses"
    assert suite.command(["-m", "slow"], [])[3] == "--numprocesses"
    assert suite.command([], [])[-1] == "tests"
    assert suite.command(["-x", "--pdb"], []) == ["python", "-m", "pytest", "-x", "--pdb", "tests"]
    assert suite.command([], ["tests/cli"]) == ["python", "-m", "pytest", "tests/cli"]
