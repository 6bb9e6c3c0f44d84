"""`road test`: the root's suite and each package's, then each model's in the model's own environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer

from cli import environments, packages
from cli.output import say
from cli.processes import CORES, shown
from cli.tree import HERE
from paved_runtime import spec

NOTHING_COLLECTED = 5
SPREAD = ("--dist", "loadfile", "--no-loadscope-reorder")  # a file's tests share what they have made; files in order, long ones early
ALONE = {"-s", "--capture=no", "--pdb", "--trace"}  # what one process alone can do


@dataclass(frozen=True)
class Suite:
    """Tests that run together: in which environment, and where they lie."""

    name: str
    python: str
    folder: str

    def command(self, options: Sequence[str], paths: Sequence[str]) -> list[str]:
        """On every core, unless paths are named or somebody wants to look into a test."""
        alone = paths or not ALONE.isdisjoint(options)
        together = [] if alone else ["--numprocesses", str(CORES), *SPREAD]
        return [self.python, "-m", "pytest", *together, *options, *(paths or [self.folder])]


def test(context: typer.Context) -> None:
    """Run the tests; -m slow those that take minutes each. What follows goes to pytest: options to every suite, paths to their own."""
    paths = [word for word in context.args if not word.startswith("-") and (HERE / word.partition("::")[0]).exists()]
    options = [word for word in context.args if word not in paths]
    codes = [_run(suite, options, mine) for suite, mine in chosen(paths)]
    collected = [code for code in codes if code != NOTHING_COLLECTED]
    raise typer.Exit(max(collected) if collected else NOTHING_COLLECTED)


def chosen(paths: Sequence[str]) -> Iterator[tuple[Suite, list[str]]]:
    """The suites in which the paths lie, each with its own; every suite where there are no paths."""
    for suite in _suites():
        mine = [path for path in paths if path == suite.folder or path.startswith(f"{suite.folder}/")]
        if mine or not paths:
            yield suite, mine


def _suites() -> Iterator[Suite]:
    yield Suite("root", sys.executable, "tests")
    for package in packages.every():
        yield Suite(package.name, package.python(), str(package.tests.relative_to(HERE)))
    for model in spec.names():
        yield Suite(model, str(environments.python(environments.folder(model))), f"model_code/{model}")


def _run(suite: Suite, options: Sequence[str], paths: Sequence[str]) -> int:
    say(f"tests of {suite.name}")
    return shown(suite.command(options, paths))
