"""Paths mean what the shell means in which they were typed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from inspect import get_annotations
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.models import CommandInfo

from cli import app
from cli.tree import HERE, typed_path
from tests.reference import MODEL
from tests.support.road import Road, environment


def test_a_path_begins_where_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROAD_CWD", str(tmp_path))
    assert typed_path("a/b.csv") == tmp_path / "a/b.csv"
    assert typed_path("/a/b.csv") == Path("/a/b.csv")
    monkeypatch.setenv("ROAD_CWD", str(HERE))
    assert typed_path("a/b.csv") == Path("a/b.csv")


def commands(typed: typer.Typer) -> Iterator[CommandInfo]:
    """Every command, and those within commands."""
    yield from typed.registered_commands
    for group in typed.registered_groups:
        if group.typer_instance:
            yield from commands(group.typer_instance)


def paths(function: Callable[..., None]) -> Iterator[tuple[str, Any]]:
    """Every path that a command takes, and how it is declared."""
    for name, hint in get_annotations(function, eval_str=True).items():
        declared = getattr(hint, "__metadata__", ())
        if declared and Path in (hint.__origin__, *get_args(hint.__origin__)):
            yield name, declared[0]


def test_every_command_takes_paths_so() -> None:
    functions = [command.callback for command in commands(app.app()) if command.callback]
    declared = {(function.__module__, name): option.parser for function in functions for name, option in paths(function)}

    assert len(declared) >= 8
    assert {place for place, parser in declared.items() if parser is not typed_path} == set()


@pytest.mark.parametrize(
    "command",
    [
        ["data", "put", MODEL, "mine.csv"],
        ["demo", "--yes", "--data", "mine.csv"],
        ["traffic", MODEL, "--data", "mine.csv"],
        ["labels", "put", MODEL, "mine.csv"],
        ["check", "--template", "mine.csv"],
    ],
)
def test_a_command_typed_elsewhere_reads_the_file_there(road: Road, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "mine.csv").write_text("")
    done = road(*command, ROAD_CWD=str(tmp_path))

    assert done.returncode in (1, 2)
    assert f" {tmp_path}/mine.csv: " in done.stderr
    assert "there is no such file" not in done.stderr


def test_the_script_says_where_it_was_typed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine.csv").write_text("")
    command = [str(tree / "road"), "data", "put", MODEL, "mine.csv"]
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", env=environment(tree, tmp_path / "cloud"), capture_output=True, text=True)

    assert done.stderr.startswith(f"road: data file {tmp_path}/elsewhere/mine.csv: it has no header"), done.stderr
