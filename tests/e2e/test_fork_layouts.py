"""Forks of other layouts than the one in which the whole suite runs: what looks at a clone's own is green, and its model takes the road."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.first_hour import MODEL, ONE, OWN, TWO, FirstHour, without_models

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.laptop("what a fork types on a laptop")]


@pytest.mark.parametrize(
    ("environments", "shape", "shared"),
    [(TWO, (), True), (ONE, ("--serving", "serverless"), False)],
    ids=["two accounts, two environments, the last on a shared endpoint", "one account, one environment, a serverless endpoint"],
)
def test_a_fork_of_another_layout_is_green(environments: tuple[str, ...], shape: tuple[str, ...], shared: bool, tmp_path: Path) -> None:
    made = FirstHour.begin(without_models(tmp_path / "a fork"), environments, tmp_path / "loans.csv", *shape)
    if shared:
        made.share()

    made.fork.road("check")
    made.fork.road("test", *OWN, f"model_code/{MODEL}")
    made.demonstrate()


def test_a_fork_without_any_model_checks_and_tests(tmp_path: Path) -> None:
    fork = without_models(tmp_path / "a fork")
    fork.commit("no model yet")

    fork.road("check")
    fork.road("test", *OWN)
