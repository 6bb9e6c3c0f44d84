"""A model's environment: made once for the same packages, again for others, and what is said when it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli import environments
from tests.support.environments import with_fake_uv

PROGRAM = """
import sys
from pathlib import Path
from cli import environments
from cli.problem import Problem
try:
    print(environments.python(Path(sys.argv[1])))
except Problem as problem:
    print(problem)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's folder with two locks."""
    folder = tmp_path / "churn"
    folder.mkdir()
    for name in ("requirements.lock", "requirements-test.lock"):
        (folder / name).write_text("# of churn\nnumpy==2.4.1\n")
    return folder


def python(tree: Path, model: Path, *, code: int = 0) -> str:
    """What a program is told of the model's environment."""
    env = with_fake_uv(tree, model.parent, code=code)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(model)], cwd=tree, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_it_is_made_once_and_shared_by_whoever_has_the_same_packages(tree: Path, model: Path) -> None:
    first, again = python(tree, model), python(tree, model)
    (model / "requirements.lock").write_text("# of another model\nnumpy==2.4.1\n")

    assert first == again == python(tree, model)
    assert len((model.parent / "uv.log").read_text().splitlines()) == 2
    (model / "requirements.lock").write_text("numpy==2.4.2\n")
    assert python(tree, model) != first


def test_a_lock_that_is_missing_is_named_and_how_it_is_made(tree: Path, model: Path) -> None:
    (model / "requirements.lock").unlink()
    assert python(tree, model) == f"{model}/requirements.lock: there is no such file: ./road lock makes it of the .in file beside it"


def test_an_installation_that_fails_is_no_environment(tree: Path, model: Path) -> None:
    assert "environment of churn: pip failed" in python(tree, model, code=1)
    assert python(tree, model).endswith("/bin/python")


def test_wheels_beside_the_index_are_found_as_pip_finds_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nfind-links = /srv/wheels\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    assert environments.installing()["UV_FIND_LINKS"] == "/srv/wheels"

    monkeypatch.setenv("PIP_FIND_LINKS", "/srv/wheels  https://index.acme.test/wheels")
    assert environments.installing()["UV_FIND_LINKS"] == "/srv/wheels,https://index.acme.test/wheels"

    monkeypatch.setenv("UV_FIND_LINKS", "/own")
    assert environments.installing()["UV_FIND_LINKS"] == "/own"
