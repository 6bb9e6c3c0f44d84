"""How work is told where there is no terminal."""

from __future__ import annotations

import re

import pytest

from cli.problem import Problem
from cli.progress import Progress


def test_progress_without_a_terminal_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with Progress() as progress:
            with progress.step("push") as step:
                step.note = "abc"
            progress.begin("Build").end("ok", seconds=12.34)
            with progress.step("Train"):
                raise Problem("stage Train failed", "why", "what to do")

    with pytest.raises(Problem):
        work()
    push, build, train = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"ok      push \d+\.\d s abc", push)
    assert build == "ok      Build 12.3 s"
    assert re.fullmatch(r"failed  Train \d+\.\d s", train)
