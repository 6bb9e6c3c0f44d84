"""What `road check` runs for a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import check, model_env
from cli.tree import HERE

MODEL = "lead_scoring"


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are not run."""
    monkeypatch.setattr(check, "_command", list)
    monkeypatch.setattr(model_env, "python", lambda model: Path(f"/env/{model}/python"))


def _files_tested(*, frame: bool) -> list[list[str]]:
    """The files of each process that tests the model."""
    commands: list[list[str]] = [command for _, command in check._model(MODEL, frame=frame)]  # type: ignore[misc]
    return [command[3:] for command in commands if command[:3] == [f"/env/{MODEL}/python", "-m", "pytest"]]


@pytest.mark.parametrize(("frame", "folder"), [(True, "model_code"), (False, f"model_code/{MODEL}")])
def test_the_parts_hold_every_test_once(frame: bool, folder: str) -> None:
    files = [file for part in _files_tested(frame=frame) for file in part]

    assert sorted(files) == sorted(str(file.relative_to(HERE)) for file in (HERE / folder).rglob("test_*.py"))
    assert len(set(files)) == len(files)


def test_without_a_test_nothing_is_run_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest without a file would run the whole suite."""
    monkeypatch.setattr(check, "HERE", tmp_path)
    (tmp_path / "model_code/tests").mkdir(parents=True)
    (tmp_path / "model_code/tests/test_one.py").touch()

    assert _files_tested(frame=True) == [["model_code/tests/test_one.py"]]
    assert _files_tested(frame=False) == []
