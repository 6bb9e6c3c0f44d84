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

    @property
    def model(self) -> Path | None:
        """The folder of the model which its tests bring, and in whose environment they run; none: they run in this one."""
        models = sorted((self.tests / "model_code").glob("*/requirements.lock"))
        return models[0].parent if models else None

    def python(self) -> str:
        """Its tests run here: this environment, or that of the model which the tests bring."""
        return str(environments.python(self.model)) if self.model else sys.executable


def every() -> list[Package]:
    """All of them, in alphabetical order."""
    return [Package(file.parent) for file in sorted((HERE / "packages").glob("*/pyproject.toml"))]
