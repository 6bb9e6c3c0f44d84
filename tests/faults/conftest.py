"""What the faults are tried on: the real data set, and the container's entry point as SageMaker would run it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cli.tree import HERE
from tests.faults.table import (  # noqa: F401 - pytest finds its hooks here
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_setup,
    pytest_terminal_summary,
)
from tests.reference import MODEL, MODELS
from tests.support.container import command, variables
from tests.support.production import Production, running
from tests.support.scene import scene as scene
from tests.support.scene import worlds as worlds
from tests.support.world import approved as approved
from tests.support.world import evidence_server as evidence_server
from tests.support.world import staged as staged

Container = Callable[..., subprocess.CompletedProcess[str]]
Edited = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The bank-marketing data as CSV; it is not part of the repository."""
    if not os.environ.get("ROAD_REAL_DATA"):
        pytest.skip("the real data set is not at hand: ROAD_REAL_DATA=FILE.csv names it")
    return Path(os.environ["ROAD_REAL_DATA"])


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Iterator[Production]:
    """A production in which a first version serves. A module shares it: leave a good version behind."""
    with running(tmp_path_factory.mktemp("production"), tree) as made:
        made.first()
        yield made


@pytest.fixture(scope="session")
def container() -> Container:
    """`container(root, *commands, models=…, NAME="value")`: run commands on the file system at `root`, with the models of a folder."""

    def run(root: Path, *commands: str, models: Path = MODELS, **more: str) -> subprocess.CompletedProcess[str]:
        env = variables(root, models, **more)
        return subprocess.run(command(*commands), cwd=HERE, env=env, capture_output=True, text=True)

    return run


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """`edited({old: new, …})`: a folder of the models, with text replaced in the model's `model.toml`."""

    def make(edits: Mapping[str, str]) -> Path:
        models = tmp_path / "model_code"
        shutil.copytree(MODELS, models, ignore=shutil.ignore_patterns("__pycache__"))
        file = models / MODEL / "model.toml"
        text = file.read_text(encoding="utf-8")
        for old, new in edits.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        return models

    return make
