"""The libraries of packages/: each is known by its pyproject.toml."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from cli import environments
from cli.tree import HERE


@dataclass(frozen=True)
class Package:
    """One library, by its folder."""

    home: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.home.name

    @property
    def tests(self) -> Path:
        """The folder of its own tests."""
        return self.home / "tests"

    def python(self) -> str:
        """Its tests run here: this environment, or that of the model which the tests bring."""
        models = sorted((self.tests / "model_code").glob("*/requirements.lock"))
        return str(environments.python(models[0].parent)) if models else sys.executable


def every() -> list[Package]:
    """All of them, in alphabetical order."""
    return [Package(file.parent) for file in sorted((HERE / "packages").glob("*/pyproject.toml"))]
