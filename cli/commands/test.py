"""`road test`: the root's suite and each package's, each framework's in its own environment, and each model's in the model's."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from cli import environments, packages
from cli.output import say
from cli.processes import CORES, shown
from cli.tree import HERE, relative
from conformance import DOWNLOADS
from paved_runtime import spec

NOTHING_COLLECTED = 5
SPREAD = ("--dist", "loadfile", "--no-loadscope-reorder")  # a file's tests share what they have made; files in order, long ones early
ALONE = {"-s", "--capture=no", "--pdb", "--trace"}  # what one process alone can do


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tests that run together: where they lie, and in whose environment, by the folder of a model; in this one without a folder.

    `framework` is what they try. `large` ones ask for packages that take minutes to install.
    """

    name: str
    folder: str
    model: Path | None = None
    framework: str = ""
    large: bool = False

    def runs(self, options: Sequence[str]) -> bool:
        """Whether pytest is to be called: for a large one where slow tests are asked for."""
        return not self.large or any("slow" in option for option in options)

    def command(self, options: Sequence[str], paths: Sequence[str]) -> list[str]:
        """On every core, unless paths are named or somebody wants to look into a test."""
        python = str(environments.python(self.model)) if self.model else sys.executable
        tried = [f"--framework={self.framework}"] if self.framework else []
        alone = paths or not ALONE.isdisjoint(options)
        together = [] if alone else ["--numprocesses", str(CORES), *SPREAD]
        return [python, "-m", "pytest", *tried, *together, *options, *(paths or [self.folder])]


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
    yield Suite(name="root", folder="tests")
    for package in packages.every():
        yield Suite(name=package.name, folder=relative(package.tests), model=package.model)
    for name in spec.FRAMEWORKS:
        home, large = environments.proven(name), name in DOWNLOADS
        yield Suite(name=f"framework {name}", folder=relative(environments.CONFORMANCE.parent), model=home, framework=name, large=large)
    for model in spec.names():
        yield Suite(name=model, folder=f"model_code/{model}", model=environments.folder(model))


def _run(suite: Suite, options: Sequence[str], paths: Sequence[str]) -> int:
    if not suite.runs(options):
        say(f"tests of {suite.name}: only with -m slow, its packages are large")
        return NOTHING_COLLECTED
    say(f"tests of {suite.name}")
    return shown(suite.command(options, paths))
