"""Where words go: facts to standard output, everything told on the way to standard error, so that a pipe carries facts only."""

from __future__ import annotations

import json as encoder
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

narration = Console(stderr=True, highlight=False, soft_wrap=True)
facts = Console(highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print the facts as JSON, for machines.")]


def say(text: str) -> None:
    """Tell a person what happens."""
    narration.print(text, markup=False)


def show(human: RenderableType, machine: Any, *, json: bool) -> None:
    """Print a command's result once, for a person or for a machine."""
    if json:
        print(encoder.dumps(machine, indent=2, default=str))
    else:
        facts.print(human, markup=False)
