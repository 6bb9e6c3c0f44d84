"""Made-up data of a new model: columns as the real ones are, an outcome that is told about as well, and no row of anybody."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cli import datasets, profiles, scaffold, synthesis
from cli.profiles import Profile
from cli.scaffold import Words
from paved_runtime import spec, synthetic
from paved_runtime.spec import Category
from paved_runtime.synthetic import Column, Numbers, Outcome, Values
from tests.reference import CONFIG
from tests.support import data_sets
from tests.support.data_sets import SHAPES

NAMESPACE = {"Values": Values, "Numbers": Numbers}
ROWS = 4000
SOME = ("missing_values", "quoted", "rare_positives")  # the slow test of new-model has them all


@pytest.fixture(scope="module", params=SOME)
def profile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The profile of data sets of several shapes."""
    make, target = SHAPES[request.param]
    return profiles.read(data_sets.write(tmp_path_factory.mktemp("shape") / "data.csv", make()), target=target)


@pytest.fixture(scope="module")
def rule(profile: Profile) -> tuple[dict[str, Column], Outcome]:
    """What is made up by it, so that the outcome is told with a ROC AUC of 0.8."""
    return synthesis.rule(profile, 0.8)


def test_made_up_rows_keep_the_contract_of_the_real_ones(profile: Profile, rule: tuple[dict[str, Column], Outcome], tmp_path: Path) -> None:
    (tmp_path / "models/made").mkdir(parents=True)
    text = scaffold.toml(profile, scaffold.DRAFT, Words(purpose="Scores rows.", owner="jo@acme.test", framework="xgboost"), config=CONFIG)
    (tmp_path / "models/made/model.toml").write_text(text, encoding="utf-8")
    synthetic.write(tmp_path / "data.csv", *rule, count=ROWS, seed=1)

    assert datasets.check(tmp_path / "data.csv", spec.load("made", tmp_path / "models")).rows == ROWS


def test_the_outcome_is_as_frequent_and_told_as_well_as_was_asked(profile: Profile, rule: tuple[dict[str, Column], Outcome]) -> None:
    columns, outcome = rule
    draw = random.Random(1)  # noqa: S311 - repeatable, not secret
    chances = [1 / (1 + math.exp(-outcome.intercept - sum(column.draw(draw)[1] for column in columns.values()))) for _ in range(ROWS)]

    assert sum(chances) / ROWS == pytest.approx(profile.positive_share, rel=0.15)
    assert area(chances) == pytest.approx(0.8, abs=0.03)


def test_it_is_written_as_python_that_makes_the_same(rule: tuple[dict[str, Column], Outcome]) -> None:
    for column in rule[0].values():
        assert eval(synthesis.source(column), NAMESPACE) == column  # noqa: S307 - the program's own text


def test_a_column_is_as_the_real_one(profile: Profile, rule: tuple[dict[str, Column], Outcome]) -> None:
    for name, column in rule[0].items():
        declared, cells = profile.columns[name], profile.cells[name]
        assert column.missing == pytest.approx(cells.count("") / len(cells), abs=0.001)
        if isinstance(column, Values):
            assert isinstance(declared, Category)
            assert set(column.weights) == set(declared.values)
            assert all(weight == pytest.approx(share(value, cells), rel=0.01) for value, weight in column.weights.items())
        else:
            numbers = sorted(float(cell) for cell in cells if cell)
            assert column.quantiles == sorted(column.quantiles)
            assert column.quantiles[5] == pytest.approx(numbers[len(numbers) // 2], rel=0.01, abs=0.01)


def share(value: str, cells: Sequence[str]) -> float:
    """Of the cells that are filled."""
    return cells.count(value) / (len(cells) - cells.count(""))


def area(chances: list[float]) -> float:
    """The expected ROC AUC of rows that are positive with these chances, ranked by them: counted pair by pair, over some of the rows."""
    some = np.array(chances[:1500])
    positive, negative = np.meshgrid(some, some)
    weights = positive * (1 - negative)
    return float((weights * ((positive > negative) + (positive == negative) / 2)).sum() / weights.sum())
