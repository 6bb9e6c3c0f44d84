"""What a model's tests are given does what it says; the fixtures of these tests are made of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from container import MODEL

from paved_runtime import artifact, spec, testing
from paved_runtime.testing import ORIGIN


def test_the_environment_is_that_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    environ = testing.environment(MODEL, tmp_path, COMMIT="fedcba9", MODEL_PACKAGE_ARN="arn")

    assert (environ["MODEL"], environ["ML_ROOT"], environ["LANG"]) == (MODEL, str(tmp_path), "C.UTF-8")
    assert (environ["COMMIT"], environ["MODEL_PACKAGE_ARN"], environ["IMAGE_URI"]) == ("fedcba9", "arn", ORIGIN["IMAGE_URI"])
    assert (Path(environ["MODEL_CODE"]) / MODEL / "model.toml").is_file()


def test_a_command_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    finished = testing.run(MODEL, tmp_path, "prepare")

    assert finished.returncode == 1
    assert f"prepare: no *.csv in {tmp_path / 'input/data/data'}" in finished.stderr


def test_a_file_is_taken_to_a_complete_model(trained: Path) -> None:
    assert sorted(file.name for file in (trained / "model").iterdir()) == sorted(artifact.complete_files(spec.load(MODEL)))
    assert "metric gates_failed=0\n" in (trained / "stdout").read_text()


def test_what_failed_is_said_in_the_containers_own_words(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("age,y\n30,yes\n")

    with pytest.raises(RuntimeError, match=r"prepare: data\.csv breaks the data contract: column 'job'"):
        testing.train(MODEL, tmp_path / "few.csv", tmp_path / "ml")


def test_made_up_rows_come_from_the_models_own_module(tmp_path: Path) -> None:
    file = testing.synthetic(MODEL, tmp_path / "data.csv", rows=20, seed=1)
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert len(rows) == 20
    assert set(spec.load(MODEL).column_names) < set(rows[0])
