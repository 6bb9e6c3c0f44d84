"""The help is ordered by who types a command, and leaves none out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import app, commands, reference
from tests.support.road import Road


def test_every_command_has_a_heading_and_every_module_is_a_command() -> None:
    headed = {app.name(module) for modules in app.WHO.values() for module in modules}
    files = {file.stem.replace("_", "-") for file in Path(commands.__file__).parent.glob("[!_]*.py")}
    assert headed == files == {name.partition(" ")[0] for name, _ in reference.commands()}


@pytest.mark.parametrize("columns", ["80", "140"])
def test_the_help_groups_commands_by_who_types_them(road: Road, columns: str) -> None:
    printed = road("--help", COLUMNS=columns, TERMINAL_WIDTH=columns).stdout
    headings = re.findall(r"^(\S.*):$", printed, re.MULTILINE)
    assert headings == ["Options", *app.WHO]

    for who, modules in app.WHO.items():
        block = printed.partition(f"\n{who}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  (\S+)  +\S", block, re.MULTILINE) == [app.name(module) for module in modules]
