"""The README's commands do what it says, typed one after the other in an empty folder; installing is left to who builds the wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = [block for block in re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL) if not block.startswith("pip ")]


def test_its_commands_work(tmp_path: Path) -> None:
    commands, folder = tmp_path / "bin", tmp_path / "empty"
    folder.mkdir()
    commands.mkdir()
    for name, arguments in (("paved-runtime", "-m paved_runtime"), ("python", "")):
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (commands / name).chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name not in ("MODEL", "MODEL_CODE", "ML_ROOT")}
    environ["PATH"] = f"{commands}:{environ['PATH']}"
    typed = subprocess.run(["sh", "-e"], input="".join(BLOCKS), cwd=folder, env=environ, capture_output=True, text=True, check=False)

    assert typed.returncode == 0, typed.stderr
    first, *_ = typed.stdout.splitlines()
    assert first == "model_code/leads: ok"
    assert "metric gates_failed=0\n" in typed.stdout
    assert {"model.onnx", "golden.json", "report.json"} <= set(typed.stdout.split())


@pytest.mark.parametrize("command", ["prepare", "train", "evaluate", "score", "serve", "count", "monitor"])
def test_it_has_every_command(command: str) -> None:
    assert f"| `{command}` |" in README.read_text(encoding="utf-8")
