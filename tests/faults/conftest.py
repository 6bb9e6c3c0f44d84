"""What the faults are tried on: the real data set, and the container's entry point as SageMaker would run it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cli import model_env
from cli.tree import HERE
from tests.faults.production import Production, running
from tests.faults.table import (  # noqa: F401 - pytest finds its hooks here
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_setup,
    pytest_terminal_summary,
)
from tests.pipelines.evidence.world import approved as approved
from tests.pipelines.evidence.world import evidence_server as evidence_server
from tests.pipelines.evidence.world import staged as staged

MODEL = "lead_scoring"
REAL = HERE.parent / "shared/data/bank-full.csv"
Container = Callable[..., subprocess.CompletedProcess[str]]
Edited = Callable[[Mapping[str, str]], Path]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The bank-marketing data as CSV; it is not part of the repository."""
    if not REAL.is_file():
        pytest.skip(f"the real data set is not at hand: {REAL}")
    return REAL


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production in which a first version serves. A module shares it: leave a good version behind."""
    with running(tmp_path_factory.mktemp("production")) as made:
        first = made.version(score=0.3)
        for arguments in (made.deploy(first), made.verify(first), made.record(first, "first")):
            done = made.run(*arguments)
            assert done.returncode == 0, done.stderr
        yield made


@pytest.fixture(scope="session")
def container() -> Container:
    """`container(root, *commands, tree=…, NAME="value")`: run commands on the file system at `root`, with the code of `tree`."""
    python = str(model_env.python(MODEL))

    def run(root: Path, *commands: str, tree: Path = HERE, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "MODEL": MODEL, "ML_ROOT": str(root), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        return subprocess.run([python, "-m", "model_code.runtime", *commands], cwd=tree, env=env, capture_output=True, text=True)

    return run


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """`edited({old: new, …})`: a tree of model_code alone, with text replaced in the model's `model.toml`."""

    def make(edits: Mapping[str, str]) -> Path:
        tree = tmp_path / "tree"
        shutil.copytree(HERE / "model_code", tree / "model_code", ignore=shutil.ignore_patterns("tests", "__pycache__"))
        file = tree / "model_code" / MODEL / "model.toml"
        text = file.read_text(encoding="utf-8")
        for old, new in edits.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        return tree

    return make
