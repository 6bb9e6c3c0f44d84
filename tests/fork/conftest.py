"""The fork's own configuration and models, which every other test leaves alone."""

from __future__ import annotations

import pytest

import config
from cli.config_source import STATEMENT
from config import Config
from paved_runtime import spec
from paved_runtime.spec import ModelSpec
from tests.reference import ROOT


@pytest.fixture(scope="session")
def own() -> Config:
    """What this clone's `config.py` says."""
    statement = STATEMENT.search((ROOT / "config.py").read_text(encoding="utf-8"))
    assert statement
    made: dict[str, Config] = {}
    exec(statement[0], vars(config), made)  # noqa: S102 - the clone's own
    return made["CONFIG"]


@pytest.fixture(scope="session")
def own_models() -> list[ModelSpec]:
    """The models of this clone: any, or none."""
    return spec.load_all(ROOT / "model_code")
