"""Which tests `road test` runs where: the root's, each package's, each model's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands.test import Suite
from paved_runtime import spec
from tests.reference import MODEL
from tests.support.environments import with_fake_uv

CONFORMANCE = "packages/runtime/conformance"
TRIED = [f"framework {name}" for name in spec.FRAMEWORKS]
PROGRAM = """
import json, sys
from cli.commands import test
print(json.dumps({suite.name: paths for suite, paths in test.chosen(sys.argv[1:])}))
"""


@pytest.mark.parametrize(
    ("paths", "suites"),
    [
        ([], {name: [] for name in ("root", "deployability", "localcloud", "runtime", *TRIED, MODEL)}),
        ([f"{CONFORMANCE}/test_files.py"], {name: [f"{CONFORMANCE}/test_files.py"] for name in TRIED}),
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
    suite = Suite(name="root", folder="tests")
    assert suite.command([], [])[3] == "--numprocesses"
    assert suite.command(["-m", "slow"], [])[3] == "--numprocesses"
    assert suite.command([], [])[-1] == "tests"
    assert suite.command(["-x", "--pdb"], []) == [sys.executable, "-m", "pytest", "-x", "--pdb", "tests"]
    assert suite.command([], ["tests/cli"]) == [sys.executable, "-m", "pytest", "tests/cli"]


def test_a_framework_is_tried_by_name() -> None:
    suite = Suite(name="framework xgboost", folder=CONFORMANCE, framework="xgboost")
    assert suite.command(["-x", "--pdb"], []) == [sys.executable, "-m", "pytest", "--framework=xgboost", "-x", "--pdb", CONFORMANCE]


@pytest.mark.parametrize(("options", "asked"), [([], False), (["-x"], False), (["-m", "slow"], True), (["-m", "slow or e2e"], True)])
def test_large_packages_are_installed_for_slow_tests_alone(options: list[str], asked: bool) -> None:
    suite = Suite(name="framework torch", folder=CONFORMANCE, framework="torch", large=True)
    assert suite.runs(options) == asked
