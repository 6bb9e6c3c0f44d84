"""`road check`: what must hold before anything is built. A person types it before a push; the Build stage types the same."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import base_images, environments, feature_sql, output, packages, target
from cli.output import say
from cli.packages import Package
from cli.problem import Problem
from cli.processes import CORES, captured
from cli.tree import CACHE, HERE, typed_path
from config import CONFIG
from paved_runtime import feature_groups, spec
from pipelines.deployment.base_image import LOCK

ROOMS = ("app.py", "config.py", "naming.py", "stacks", "pipelines", "cli", "tests", "bench")
RUNTIME = "packages/runtime/paved_runtime"  # which a model is typed against
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
        Path | None,
        typer.Option(metavar="FILE", help="Only the deployability rules, on any CloudFormation template.", parser=typed_path),
    ] = None,
    json: output.Json = False,
) -> None:
    """Secrets, base image, lint, types and tests of one model; without --model of every model, and feature groups, types, synth, cfn-lint
    and deployability rules.
    """
    if template:
        _one_template(template, json=json)
        return
    checks = _of_models([target.model(model).name]) if model else [*_of_models(spec.names()), *_of_tree()]
    with ThreadPoolExecutor(CORES) as pool:
        results = [future.result() for future in [pool.submit(_timed, name, run) for name, run in checks]]
    if json:
        output.show("", [asdict(result) for result in results], json=True)
    if failed := [result.name for result in results if not result.ok]:
        if json:
            raise typer.Exit(1)
        raise Problem(f"{len(failed)} of {len(results)} checks failed", ", ".join(failed), "what each printed stands above")


def _of_models(models: Sequence[str]) -> Iterator[tuple[str, Run]]:
    yield "secrets", _secrets
    yield "base image", lambda: _base_image(models)
    where = [f"model_code/{model}" for model in models]
    if where:
        yield from _style(where)
    pythons = {model: environments.python(environments.folder(model)) for model in models}
    for model, python in pythons.items():
        yield f"contract of {model}", _command([str(python), "-m", "paved_runtime", "check", f"model_code/{model}"])
        yield (
            f"tests of {model}",
            _command([str(python), "-m", "pytest", f"model_code/{model}"], advice=f"\nits tests: model_code/{model}/tests/"),
        )
    for python, same in _by_environment(pythons).items():
        rooms = [f"model_code/{model}" for model in same]
        yield f"types of {', '.join(same)}", _types(python.parents[1].name, *rooms, RUNTIME, python=str(python))


def _by_environment(pythons: Mapping[str, Path]) -> dict[Path, list[str]]:
    """Models by the Python of their environment: those with the same packages are typed together, against one cache of the runtime."""
    return {python: [model for model, own in pythons.items() if own == python] for python in pythons.values()}


def _of_tree() -> Iterator[tuple[str, Run]]:
    yield from _style(["."])
    if feature_groups.names():
        yield "feature groups", _feature_groups
    yield "types", _types("rooms", *(room for room in ROOMS if _has_python(HERE / room)))
    for package in packages.every():
        yield f"types of {package.name}", _types_of(package)
    yield "synth and cfn-lint", _templates


def _style(where: Sequence[str]) -> Iterator[tuple[str, Run]]:
    mend = f"\nmend what can be mended by itself: ./road exec ruff check --fix {' '.join(where)}; ./road exec ruff format {' '.join(where)}"
    for name, command in (
        ("ruff check", ["ruff", "check", "--quiet", "--output-format", "concise", *where]),
        ("ruff format", ["ruff", "format", "--check", *where]),
    ):
        yield f"{name} {'' if where == ['.'] else 'of the models'}".strip(), _command(command, advice=mend)


def _types(cache: str, *what: str, python: str = sys.executable, env: dict[str, str] | None = None) -> Run:
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(CACHE / "mypy" / cache), "--python-executable", python, *what]
    return lambda: captured(command, env)


def _types_of(package: Package) -> Run:
    code = [str(file.parent.relative_to(HERE)) for file in package.home.glob("*/__init__.py")]
    tests = [str(file.relative_to(HERE)) for file in sorted(package.tests.glob("**/*.py")) if "model_code" not in file.parts]
    return _types(package.name, *code, *tests, python=package.python(), env={"MYPYPATH": str(package.tests)})


def _one_template(file: Path, *, json: bool) -> None:
    from cli import deployability  # here, because importing cfn-lint takes longer than most commands

    findings = deployability.findings(file)
    output.show(deployability.table(findings) if findings else f"{file}: no rule is broken", findings, json=json)
    if findings:
        raise typer.Exit(1)


def _timed(name: str, run: Run) -> Result:
    started = time.monotonic()
    code, printed = run()
    result = Result(name=name, ok=code == 0, seconds=round(time.monotonic() - started, 1), output=printed)
    say(f"{'ok' if result.ok else 'FAILED':<7}{name} {result.seconds} s" + ("" if result.ok else f"\n{printed}"))
    return result


def _secrets() -> tuple[int, str]:
    from cli import secrets  # here, because its patterns take longer to import than most commands

    findings = secrets.findings(HERE)
    return int(bool(findings)), "".join(f"{finding}\n" for finding in findings)


def _base_image(models: Sequence[str]) -> tuple[int, str]:
    dockerfiles = [environments.folder(model) / "Dockerfile" for model in models]
    problems = base_images.check(CONFIG.images.base, HERE / LOCK, dockerfiles)
    return int(bool(problems)), "".join(f"{problem}\n" for problem in problems)


def _feature_groups() -> tuple[int, str]:
    problems = feature_sql.problems()
    return int(bool(problems)), "".join(f"{problem}\n" for problem in problems)


def _templates() -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        code, printed = captured(["cdk", "synth", "--quiet", "--output", folder])
        if code:
            return code, printed
        templates = sorted(str(path) for path in Path(folder).rglob("*.template.json"))
        regions = sorted({account.region for account in CONFIG.accounts})
        return captured(["cfn-lint", "--append-rules", "deployability.cfn_lint", "--regions", *regions, "--template", *templates])


def _command(arguments: Sequence[str], *, advice: str = "") -> Run:
    def run() -> tuple[int, str]:
        code, printed = captured(arguments)
        return code, printed + (advice if code else "")

    return run


def _has_python(room: Path) -> bool:
    return room.is_file() or any(room.rglob("*.py"))
