"""A model trained here, without any cloud: the container's own commands on a folder, in the model's environment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cli import data_files, environments, local_features
from cli.local_features import LocalStore
from cli.problem import Problem, one_line
from cli.repository import Clone
from cli.tree import HERE, relative
from pipelines.evidence import pack

COMMANDS = ("prepare", "train", "evaluate")
NO_IMAGE = "local@sha256:" + 64 * "0"
NO_COMMIT = 40 * "0"


class Violations(Problem):
    """A data set that breaks the model's contract. `checks` are the violations as preparation lists them."""

    def __init__(self, model: str, checks: Sequence[Mapping[str, Any]]) -> None:
        broken = "; ".join(map(sentence, checks))
        super().__init__(f"the data set breaks the contract of {model}", broken, "correct the data, or model.toml")
        self.checks = checks


@dataclass(frozen=True, kw_only=True)
class Training:
    """A training that has ended. `home` is the file system of its container; `evaluation` and `report` are what it wrote."""

    home: Path
    evaluation: Mapping[str, Any]
    report: Mapping[str, Any]
    checks: Sequence[Mapping[str, Any]]
    seconds: float

    @property
    def metrics(self) -> dict[str, float]:
        """Each figure on the held-out rows."""
        return {name: metric["value"] for name, metric in self.evaluation["metrics"].items()}


@dataclass(frozen=True, kw_only=True)
class Container:
    """The model's container as a process: its Python, its environment, and `home`, its file system."""

    model: str
    python: Path
    home: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, model: Path, data: Path, home: Path, stores: Sequence[LocalStore] = ()) -> Self:
        """That of the model in the folder `model`, with a file as its data set, and what its rows are joined with; what lies in `home` goes
        first.
        """
        python = environments.python(model)
        shutil.rmtree(home, ignore_errors=True)
        channel = home / "input/data/data"
        channel.mkdir(parents=True)
        (channel / f"data{data_files.suffix(data)}").symlink_to(data.resolve())
        for store in stores:
            (home / f"input/data/features_{store.group.name}").symlink_to(store.folder.resolve())
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "MODEL": model.name,
            "MODEL_CODE": str(model.parent.resolve()),
            "ML_ROOT": str(home.resolve()),
            "COMMIT": _commit(),
            "DATA_SHA256": digest(data),
            "IMAGE_URI": NO_IMAGE,
            **local_features.variables(stores),
        }
        return cls(model=model.name, python=python, home=home, environment=environment)

    def run(self, *commands: str, hyperparameters: Mapping[str, str] | None = None) -> str:
        """Run commands, with `hyperparameters` in the place of those in model.toml; what they print.

        Raises:
            Violations: the data set breaks the contract.
            Problem: a command failed, in its own words.
        """
        file = self.home / "input/config/hyperparameters.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(hyperparameters or {}))
        argv = [str(self.python), "-m", "paved_runtime", *commands]
        done = subprocess.run(argv, cwd=HERE, env=dict(self.environment), capture_output=True, text=True)
        (self.home / "log").write_text(done.stdout + done.stderr)
        if done.returncode:
            raise _failure(self.model, self.home)
        return done.stdout


def run(
    model: Path, data: Path, home: Path, hyperparameters: Mapping[str, str] | None = None, stores: Sequence[LocalStore] = ()
) -> Training:
    """Prepare, train and evaluate the model in the folder `model` on a CSV file, whose rows are joined with `stores`; what lies in `home`
    goes first.

    Raises:
        Violations: the data set breaks the contract.
        Problem: a command failed, in its own words.
    """
    started = time.monotonic()
    Container.of(model, data, home, stores).run(*COMMANDS, hyperparameters=hyperparameters)
    return read(home, seconds=time.monotonic() - started)


def read(home: Path, *, seconds: float = 0) -> Training:
    """A training that was run before."""
    return Training(
        home=home,
        evaluation=_json(home / "model/evaluation.json"),
        report=_json(home / "output/data" / pack.REPORT),
        checks=_json(home / "model/data.json")["checks"],
        seconds=seconds,
    )


def digest(file: Path) -> str:
    """SHA-256."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sentence(check: Mapping[str, Any]) -> str:
    """A violation in words."""
    column = f"column {check['column']!r}: " if check["column"] else ""
    rows = f" ({check['count']} rows, first {check['rows'][0]})" if check["rows"] else ""
    return f"{column}expected {check['allowed']}, found {check['found']}{rows}"


def _commit() -> str:
    """What the tree stands on; no commit where it came without its repository."""
    try:
        return Clone(HERE).head() or NO_COMMIT
    except Problem:
        return NO_COMMIT


def _failure(model: str, home: Path) -> Problem:
    violations, failure = home / "output/data/violations.json", home / "output/failure"
    if violations.is_file():
        return Violations(model, _json(violations))
    why = one_line(failure.read_text()) if failure.is_file() else "it left no reason"
    return Problem(f"training of {model}", why, f"read {relative(home / 'log')}")


def _json(file: Path) -> Any:
    return json.loads(file.read_bytes())
