"""A fork, from its first hour: its own accounts, names and model, ours gone, and everything that it types is green.

Of its tests those run that can know where they are: the root's and the models'. Packages know nothing of the repository that they lie in.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.first_hour import THREE, FirstHour, without_models

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3000), pytest.mark.laptop("what a fork types on a laptop")]
TOGETHER = ("--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder")  # as `./road test` runs its suites where none is named


def test_a_fork_with_its_own_names_and_model_is_green(tmp_path: Path) -> None:
    made = FirstHour.begin(without_models(tmp_path / "a fork"), THREE, tmp_path / "loans.csv")

    made.fork.road("check")
    made.fork.road("test", *TOGETHER, "tests", "model_code")
    made.demonstrate()
