"""`road bench`: the measurements of bench/, one program each."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from cli import environments, output
from cli.output import say
from cli.problem import Problem
from cli.tree import HERE

OF_A_MODEL = ("batch", "data_sets", "drift", "gates", "measuring", "leaks", "monitor")  # need the packages of the sample that they measure


def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this program of bench/, without .py; its own options may follow.")] = None,
    *,
    json: output.Json = False,
) -> None:
    """Run the measurements of bench/, one after the other.

    They measure the runtime's own sample and models that new-model writes; road and soak, a model of this clone.
    """
    known = {path.stem: path for path in sorted((HERE / "bench").glob("[!_]*.py"))}
    if name and name not in known:
        raise Problem(f"bench {name}", f"bench/ has {', '.join(known)}", "name one of them", code=2)
    arguments = [*context.args, *(["--json"] if json else [])]
    for stem in [name] if name else known:
        say(f"bench/{stem}.py")
        python = environments.python(environments.sample()) if stem in OF_A_MODEL else sys.executable
        command = [str(python), str(known[stem]), *arguments]
        if subprocess.run(command, cwd=os.environ.get("ROAD_CWD", HERE)).returncode:
            raise Problem(f"bench/{stem}.py", "it failed", "see what it printed above")
