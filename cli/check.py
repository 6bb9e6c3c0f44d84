"""`road check`: what must hold before anything is built. A person types it before a push; the Build stage types the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import model_env, output, target
from cli.output import say
from cli.tree import CACHE, HERE
from config import CONFIG
from model_code import spec

CORES = 2
ROOMS = ("app.py", "config.py", "stacks", "pipelines", "rules", "localcloud", "cli", "tests", "bench")
SHARED = ("model_code/spec.py", "model_code/conftest.py", "model_code/runtime", "model_code/tests")
Run = Callable[[], tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one check went. `output` is what it printed."""

    name: str
    ok: bool
    seconds: float
    output: str


def check(
    *,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only what concerns this model.")] = None,
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only the deployability rules, on any CloudFormation template.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Secrets, lint, types and tests of one model; without --model of everything, and synth, cfn-lint and deployability rules."""
    if template:
        _one_template(template, json=json)
        return
    models = [target.model(model).name] if model else spec.names()
    frames = {tests.model: tests for tests in map(model_env.FrameTests, models) if model is None or not tests.passed}
    checks = [
        ("secrets", _secrets),
        *_style(models, whole=model is None),
        *(check for name in models for check in _model(name, frame=name in frames)),
    ]
    if model is None:
        checks += [
            ("types", _command(_mypy("rooms", *(room for room in ROOMS if _has_python(HERE / room))))),
            ("synth and cfn-lint", _templates),
        ]
    with ThreadPoolExecutor(CORES) as pool:
        results = [future.result() for future in [pool.submit(_timed, name, run) for name, run in checks]]
    if json:
        output.show("", [asdict(result) for result in results], json=True)
    if not all(result.ok for result in results):
        raise typer.Exit(1)
    for tests in frames.values():
        tests.note()


def _one_template(file: Path, *, json: bool) -> None:
    from cli import deployability  # here, because importing cfn-lint takes longer than most commands

    found = deployability.findings(file)
    output.show(deployability.table(found) if found else f"{file}: no rule is broken", found, json=json)
    if found:
        raise typer.Exit(1)


def _timed(name: str, run: Run) -> Result:
    started = time.monotonic()
    code, printed = run()
    result = Result(name=name, ok=code == 0, seconds=round(time.monotonic() - started, 1), output=printed)
    say(f"{'ok' if result.ok else 'FAILED':<7}{name} {result.seconds} s" + ("" if result.ok else f"\n{printed}"))
    return result


def _secrets() -> tuple[int, str]:
    from cli import secrets  # here, because its patterns take longer to import than most commands

    found = secrets.findings(HERE)
    return int(bool(found)), "".join(f"{finding}\n" for finding in found)


def _style(models: Sequence[str], *, whole: bool) -> Iterator[tuple[str, Run]]:
    where = ["."] if whole else [*SHARED, *(f"model_code/{model}" for model in models)]
    yield "ruff check", _command(["ruff", "check", "--quiet", *where])
    yield "ruff format", _command(["ruff", "format", "--check", *where])


def _model(model: str, *, frame: bool) -> Iterator[tuple[str, Run]]:
    """In the model's own environment, which is the image's; its tests in as many processes as there are cores.

    Those of the `frame`, which every model shares, are left out where they have passed before in this very environment.
    """
    python = str(model_env.python(model))
    suites = model_env.suites(model) if frame else [model_env.own_suite(model)]
    files = sorted(str(file.relative_to(HERE)) for suite in suites for file in (HERE / suite).rglob("test_*.py"))
    parts = [files[first::CORES] for first in range(min(CORES, len(files)))]
    for number, part in enumerate(parts, 1):
        yield (
            f"tests of {model}" + (f", part {number} of {len(parts)}" if len(parts) > 1 else ""),
            _command([python, "-m", "pytest", *part]),
        )
    yield f"types of {model}", _command(_mypy(model, "--python-executable", python, *SHARED, f"model_code/{model}"))


def _mypy(cache: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "mypy", "--cache-dir", str(CACHE / "mypy" / cache), *arguments]


def _templates() -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        code, printed = _run(["cdk", "synth", "--quiet", "--output", folder])
        if code:
            return code, printed
        templates = sorted(str(path) for path in Path(folder).rglob("*.template.json"))
        regions = sorted({account.region for account in CONFIG.accounts})
        return _run(["cfn-lint", "--append-rules", "rules.cfn_lint", "--regions", *regions, "--template", *templates])


def _command(arguments: Sequence[str]) -> Run:
    return lambda: _run(arguments)


def _run(arguments: Sequence[str]) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        arguments, cwd=HERE, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def _has_python(room: Path) -> bool:
    return room.is_file() or any(room.rglob("*.py"))
