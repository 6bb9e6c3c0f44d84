"""Where words go: facts to standard output, everything told on the way to standard error, so that a pipe carries facts only."""

from __future__ import annotations

import json as encoder
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from cli.problem import Problem
from paved_runtime.page import legible

UNBROKEN = 1000  # columns where there is no terminal: a line is a fact, and is not to be wrapped
narration = Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else UNBROKEN)
facts = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else UNBROKEN)

Json = Annotated[bool, typer.Option("--json", help="Print the facts as JSON, for machines.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]


def say(text: str) -> None:
    """Tell a person what happens."""
    narration.print(text, markup=False)


class _Narrator(logging.Handler):
    """Tells a person what a library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record's message."""
        say(record.getMessage())


@contextmanager
def told(library: str) -> Iterator[None]:
    """What a library logs while the block runs is told to the person."""
    logger, narrator = logging.getLogger(library), _Narrator()
    before = logger.level
    logger.addHandler(narrator)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(narrator)
        logger.setLevel(before)


def show(human: RenderableType, machine: Any, *, json: bool) -> None:
    """Print a command's result once, for a person or for a machine."""
    if json:
        print(encoder.dumps(machine, indent=2, default=str))
    else:
        draw(human, facts)


def draw(human: RenderableType, console: Console = narration) -> None:
    """Print what rich lays out; without a terminal, without the spaces that fill its lines."""
    if console.is_terminal:
        console.print(human, markup=False)
        return
    with console.capture() as captured:
        console.print(human, markup=False)
    console.file.write("\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()) + "\n")


def table(rows: Mapping[str, str]) -> Table:
    """Names and what is known, below each other."""
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        grid.add_row(Text(name, "dim"), Text(legible(value, lines=True), overflow="fold"))
    return grid


def confirm(what: str, question: str) -> None:
    """Go on only when the person says yes. `what` is asked about. Raises Problem where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise Problem(what, "there is no terminal to ask on", "add --yes", code=2)
    if not typer.confirm(question, err=True):
        say("nothing was changed")
        raise typer.Exit(1)


def has_screen() -> bool:
    """Whether a person sits at a terminal on a machine that can show a page."""
    shows = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return sys.stdout.isatty() and shows
