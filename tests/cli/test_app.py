"""The help is ordered by who types a command, and leaves none out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli import app, commands, reference
from tests.support.road import Road, environment


def test_every_command_has_a_heading_and_every_module_is_a_command() -> None:
    headed = {app.word(module) for modules in app.WHO.values() for module in modules}
    files = {file.stem.replace("_", "-") for file in Path(commands.__file__).parent.glob("[!_]*.py")}
    assert headed == files == {name.partition(" ")[0] for name, _ in reference.commands()}


@pytest.mark.parametrize("columns", ["80", "140"])
def test_the_help_groups_commands_by_who_types_them(road: Road, columns: str) -> None:
    printed = road("--help", COLUMNS=columns, TERMINAL_WIDTH=columns).stdout
    headings = re.findall(r"^(\S.*):$", printed, re.MULTILINE)
    assert headings == ["Options", *app.WHO]

    for who, modules in app.WHO.items():
        block = printed.partition(f"\n{who}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  (\S+)  +\S", block, re.MULTILINE) == [app.word(module) for module in modules]


SLOW = {"aws_cdk", "cfnlint", "moto", "sagemaker"}  # a second and more each to import, and CDK starts a node


def test_no_command_imports_what_few_of_them_use(tree: Path, tmp_path: Path) -> None:
    look = "import json, sys; from cli.app import app; app(); print(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=tree, env=environment(tree, tmp_path), capture_output=True, text=True, check=True
    )

    imported = set(json.loads(done.stdout))
    assert {f"cli.commands.{module}" for module in app.MODULES} <= imported
    assert imported & SLOW == set()
