"""`paved-runtime check`: one line a problem, whoever types it, and from where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from container import MODEL

from paved_runtime import __version__, spec
from paved_runtime.__main__ import main

TOML = (spec.MODELS / MODEL / "model.toml").read_text(encoding="utf-8")


def folder(root: Path, content: str) -> Path:
    """A model's folder with this model.toml."""
    model = root / "model_code" / "leads"
    model.mkdir(parents=True)
    (model / "model.toml").write_text(content, encoding="utf-8")
    return model


def test_a_good_model_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = folder(tmp_path, TOML)

    assert main(["check", str(model), str(spec.MODELS / MODEL)], {}) == 0
    assert capsys.readouterr().out == f"{model}: ok\n{spec.MODELS / MODEL}: ok\n"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (
            TOML.replace("holdout = ", "holdout = 7 # "),
            ["model_code/leads/model.toml: data.holdout: found 7; Input should be less than 0.9"],
        ),
        (
            TOML.replace("owner = ", "boss = "),
            [
                "model_code/leads/model.toml: owner: this key is required",
                "model_code/leads/model.toml: boss: there is no such key; docs/model-toml.md lists them all",
            ],
        ),
        ("purpose = ", ["model_code/leads/model.toml: not valid TOML: Invalid value (at end of document)"]),
    ],
)
def test_each_problem_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, lines: list[str]) -> None:
    assert main(["check", str(folder(tmp_path, content)), str(spec.MODELS / MODEL)], {}) == 1
    assert capsys.readouterr().out.splitlines() == [*lines, f"{spec.MODELS / MODEL}: ok"]


def test_a_folder_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)], {}) == 1
    assert capsys.readouterr().out.endswith(f"{tmp_path.name}/model.toml: no such file; known models: none\n")


def test_no_folder_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"], {}) == 1
    assert capsys.readouterr().out == "check: no folder was named: type `paved-runtime check path/to/model_code/MODEL`\n"


def test_it_is_typed_in_the_models_own_folder_too() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "MODEL_CODE"}
    argv = [sys.executable, "-m", "paved_runtime", "check", "."]
    typed = subprocess.run(argv, cwd=spec.MODELS / MODEL, env=environ, capture_output=True, text=True, check=False)

    assert (typed.returncode, typed.stdout, typed.stderr) == (0, ".: ok\n", "")


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_help_names_the_version_and_the_commands(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main([word], {}) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"paved-runtime {__version__}\n")
    assert "prepare, train, evaluate, search, score, serve, count, monitor" in printed
