"""`road test`: the root's suite, then each model's in the model's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import typer

from cli import model_env
from cli.output import say
from cli.tree import HERE
from model_code import spec

NOTHING_COLLECTED = 5
CORES = 2


def test(context: typer.Context) -> None:
    """Run the tests; -m slow those that take minutes each. What follows goes to pytest: options to every suite, paths to their own."""
    codes = [_run(name, command) for name, command in _suites(context.args)]
    ran = [code for code in codes if code != NOTHING_COLLECTED]
    raise typer.Exit(max(ran) if ran else NOTHING_COLLECTED)


def _suites(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    paths = [a for a in arguments if not a.startswith("-") and (HERE / a.partition("::")[0]).exists()]
    options = [a for a in arguments if a not in paths]
    models = [path for path in paths if path.startswith("model_code")]
    others = [path for path in paths if path not in models]
    if others or not paths:
        together = ["--numprocesses", str(CORES), "--dist", "loadfile"] if not arguments else []
        yield "root", [sys.executable, "-m", "pytest", *together, *options, *others]
    for model in spec.names():
        suites = model_env.suites(model)
        chosen = [path for path in models if path.startswith(tuple(suites))] if paths else suites
        if chosen:
            yield model, [str(model_env.python(model)), "-m", "pytest", *options, *chosen]


def _run(name: str, command: Sequence[str]) -> int:
    say(f"tests of {name}")
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return subprocess.run(command, cwd=HERE, env=env).returncode
