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


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a model and a frame, and a cache of its own."""
    for name in ("model_code/spec.py", "model_code/runtime/serving.py", "model_code/tests/test_spec.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("pass")
    for name in (*model_env.LOCKS, "training.py"):
        (tmp_path / "model_code" / MODEL / name).parent.mkdir(exist_ok=True)
        (tmp_path / "model_code" / MODEL / name).write_text("numpy")
    (tmp_path / "cache/models").mkdir(parents=True)
    monkeypatch.setattr(model_env, "HERE", tmp_path)
    monkeypatch.setattr(model_env, "CACHE", tmp_path / "cache")
    return tmp_path


def test_the_frame_is_tested_until_it_has_passed(tree: Path) -> None:
    assert not model_env.FrameTests(MODEL).passed
    model_env.FrameTests(MODEL).note()
    (tree / "model_code" / MODEL / "training.py").write_text("another model")

    assert model_env.FrameTests(MODEL).passed


@pytest.mark.parametrize(
    "changed",
    ["model_code/spec.py", "model_code/runtime/serving.py", "model_code/runtime/new.css", f"model_code/{MODEL}/requirements.lock"],
)
def test_it_is_tested_again_in_another_environment_and_after_a_change_of_its_own(tree: Path, changed: str) -> None:
    model_env.FrameTests(MODEL).note()
    (tree / changed).write_text("changed")

    assert not model_env.FrameTests(MODEL).passed
