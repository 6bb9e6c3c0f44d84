"""`road bench`: the measurements of bench/, one program each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import model_env, output
from cli.output import say
from cli.problem import Problem
from cli.tree import HERE

MODELS = {"gates": "lead_scoring", "drift": "lead_scoring", "monitor": "lead_scoring"}  # programs that need a model's packages


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Only these programs of bench/, without .py.")] = None,
    *,
    minutes: Annotated[float | None, typer.Option(metavar="MINUTES", help="soak: for how long; without it 10.", min=0.1)] = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="soak: where its figures and its plot go.")] = None,
    json: output.Json = False,
) -> None:
    """Run the measurements of bench/, one after the other."""
    known = {path.stem: path for path in sorted((HERE / "bench").glob("[!_]*.py"))}
    if unknown := [name for name in names or [] if name not in known]:
        raise Problem(f"bench {unknown[0]}", f"bench/ has {', '.join(known) or 'no programs'}", "name one of them", code=2)
    if not known:
        raise Problem("bench", "bench/ has no programs", "add one: bench/NAME.py")
    given = {"--minutes": minutes, "--out": out.absolute() if out else None}
    own = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    for name in names or known:
        say(f"bench/{name}.py")
        python = model_env.python(MODELS[name]) if name in MODELS else sys.executable
        arguments = [*(own if name == "soak" else []), *(["--json"] if json else [])]
        if subprocess.run([str(python), str(known[name]), *arguments], cwd=HERE).returncode:
            raise Problem(f"bench/{name}.py", "it failed", "see what it printed above")
