"""A fork, from its first hour: its own accounts, names and model, ours gone, and everything that it types is green."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.data_sets import missing_values, write
from tests.support.fork import Clone
from tests.support.tree import clone

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]
HOME, LAB, LIVE = "400000000004", "500000000005", "600000000006"
LAYOUTS: dict[str, Sequence[str]] = {
    "three accounts, three environments": (f"dev={LAB}", f"test={LAB}", f"live={LIVE}:approved"),
    "two accounts, two environments": (f"trial={LIVE}", f"prod={LIVE}:approved"),
    "one account, one environment": (f"prod={HOME}",),
}
WHOLE = "three accounts, three environments"  # where the whole suite is run


@pytest.fixture
def fork(tmp_path: Path) -> Clone:
    """The template as a team clones it, with the models in it taken out."""
    home = tmp_path / "a fork"
    home.mkdir()
    made = Clone(clone(home))
    for spec in (home / "model_code").glob("*/model.toml"):
        shutil.rmtree(spec.parent)
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_fork_with_its_own_names_and_model_is_green(fork: Clone, layout: str, tmp_path: Path) -> None:
    named = [
        "--project",
        "zenith",
        "--region",
        "us-west-2",
        "--toolchain",
        HOME,
        "--repository",
        "zenith/lending",
        "--owner",
        "ml@zenith.test",
    ]
    fork.road("init", *named, *(word for environment in LAYOUTS[layout] for word in ("--environment", environment)))
    own = f'id="{HOME}", region="us-west-2"'
    fork.edit("config.py", own, f"{own}, budget=Budget(monthly_dollars=500)")
    data = write(tmp_path / "loans.csv", missing_values())
    fork.road("new-model", "loan_default", "--data", str(data), "--target", "default")
    fork.commit("our accounts, our model")

    fork.road("check")
    fork.road("test", *([] if layout == WHOLE else ["tests/fork", "tests/test_docs.py", "model_code/loan_default"]))
    told = json.loads(fork.road("demo", "--yes", "--json").stdout)

    assert told["endpoint"] == f"zenith-loan-default-{LAYOUTS[layout][-1].partition('=')[0]}"
    assert 0 < told["scored"]["answer"]["predictions"][0]["score"] < 1


def test_a_fork_without_any_model_checks_and_tests(fork: Clone) -> None:
    fork.commit("no model yet")

    fork.road("check")
    fork.road("test", "tests/fork", "tests/test_docs.py")
