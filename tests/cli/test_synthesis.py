"""Made-up data of a new model: columns as the real ones are, an outcome that is told about as well, and no row of anybody."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cli import datasets, model_toml, profiles, proposals, synthesis
from cli.outcomes import Amounts, Several, Two
from cli.profiles import Profile
from paved_runtime import spec, synthetic
from paved_runtime.spec import Boolean, Category, Date, Text
from paved_runtime.synthetic import Amount, Classes, Column, Dates, Numbers, Outcome, Target, Values, Words
from tests.reference import CONFIG
from tests.support import data_sets
from tests.support.data_sets import SHAPES

NAMESPACE = {"Values": Values, "Numbers": Numbers, "Dates": Dates, "Words": Words}
ROWS = 4000
SOME = ("missing_values", "numeric_only", "quoted", "rare_positives", "spent", "typed_columns")  # the slow test of new-model has them all


@pytest.fixture(scope="module", params=SOME)
def profile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The profile of data sets of several shapes."""
    make, target = {**SHAPES, "spent": (data_sets.spent, "spent")}[request.param]
    return profiles.read(data_sets.write(tmp_path_factory.mktemp("shape") / "data.csv", make()), target=target)


Rule = tuple[dict[str, Column], Target]


@pytest.fixture(scope="module")
def rule(profile: Profile) -> Rule:
    """What is made up by it, so that the target is told with a headline of 0.8."""
    return synthesis.rule(profile, 0.8)


@pytest.fixture(scope="module")
def made(rule: Rule, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up rows."""
    file = tmp_path_factory.mktemp("made") / "data.csv"
    synthetic.write(file, *rule, count=ROWS, seed=1)
    return file


def test_made_up_rows_keep_the_contract_of_the_real_ones(profile: Profile, made: Path, tmp_path: Path) -> None:
    (tmp_path / "models/made").mkdir(parents=True)
    words = model_toml.Words(purpose="Scores rows.", owner="jo@acme.test", framework="xgboost")
    text = model_toml.write(profile, proposals.draft(profile.outcomes), words, config=CONFIG)
    (tmp_path / "models/made/model.toml").write_text(text, encoding="utf-8")

    assert datasets.check(made, spec.load("made", tmp_path / "models")).rows == ROWS


def test_outcomes_are_as_frequent_and_told_as_well_as_was_asked(profile: Profile, rule: Rule) -> None:
    columns, target = rule
    draw = random.Random(1)  # noqa: S311 - repeatable, not secret
    drawn = [[column.draw(draw)[1] for column in columns.values()] for _ in range(ROWS)]

    match profile.outcomes:
        case Two() as two:
            assert isinstance(target, Outcome)
            chances = [1 / (1 + math.exp(-target.intercept - np.sum(lifts))) for lifts in drawn]
            assert np.mean(chances) == pytest.approx(two.share, rel=0.15)
            assert area(chances) == pytest.approx(0.8, abs=0.03)
        case Several() as several:
            assert isinstance(target, Classes)
            logarithms = np.array([np.sum([lift for lift in lifts if not np.isscalar(lift)], axis=0) for lifts in drawn])
            weights = np.exp(logarithms + list(target.intercepts.values()))
            shares = weights / weights.sum(axis=1, keepdims=True)
            assert shares.mean(axis=0) == pytest.approx(list(several.shares.values()), rel=0.15)
            assert np.mean([area(column) for column in shares.T]) == pytest.approx(0.8, abs=0.03)
        case Amounts():
            assert isinstance(target, Amount)
            pairs = np.array([[float(target.draw(lifts, draw)) for _ in range(2)] for lifts in drawn])
            assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.8, abs=0.05)  # what two draws share is told by the columns


@pytest.mark.parametrize("make", [data_sets.numeric_only, data_sets.spent])
def test_numbers_are_spread_as_the_real_ones(tmp_path: Path, make: Callable[[], list[data_sets.Row]]) -> None:
    rows = make()
    target = list(rows[0])[-1]
    profile = profiles.read(data_sets.write(tmp_path / "data.csv", rows), target=target)
    synthetic.write(tmp_path / "made.csv", *synthesis.rule(profile, 0.7), count=ROWS, seed=1)
    with (tmp_path / "made.csv").open(newline="", encoding="utf-8") as stream:
        numbers = sorted(float(row[target]) for row in csv.DictReader(stream))

    real = profile.outcomes
    assert isinstance(real, Amounts)
    assert numbers[0] >= real.ordered[0]
    assert numbers[-1] <= real.ordered[-1]
    assert np.quantile(numbers, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(real.ordered, [0.1, 0.5, 0.9]), abs=real.deviation / 5)
    assert np.std(numbers) == pytest.approx(real.deviation, rel=0.1)
    assert all(map(float.is_integer, numbers)) == real.whole


def test_it_is_written_as_python_that_makes_the_same(rule: Rule) -> None:
    for column in rule[0].values():
        assert eval(synthesis.source(column), NAMESPACE) == column  # noqa: S307 - the program's own text


def test_a_column_is_as_the_real_one(profile: Profile, rule: Rule) -> None:
    for name, column in rule[0].items():
        declared, cells = profile.columns[name], profile.cells[name]
        assert column.missing == pytest.approx(cells.count("") / len(cells), abs=0.001)
        if isinstance(column, Values):
            assert isinstance(declared, Category | Boolean)
            assert set(column.weights) == set(declared.cells)
            assert all(weight == pytest.approx(share(value, cells), rel=0.01) for value, weight in column.weights.items())
        elif isinstance(column, Words):
            assert isinstance(declared, Text)
            assert {column.least, column.most} == {6}
            assert column.longest == declared.maximum_length
        elif isinstance(column, Dates):
            assert isinstance(declared, Date)
            days = sorted(cell for cell in cells if cell)
            assert list(column.quantiles) == [days[round(tenth / 10 * (len(days) - 1))] for tenth in range(11)]
        else:
            assert isinstance(column, Numbers)
            numbers = sorted(float(cell) for cell in cells if cell)
            assert column.quantiles == sorted(column.quantiles)
            assert column.quantiles[5] == pytest.approx(numbers[len(numbers) // 2], rel=0.01, abs=0.01)


def share(value: str, cells: Sequence[str]) -> float:
    """Of the cells that are filled."""
    return cells.count(value) / (len(cells) - cells.count(""))


def area(chances: Iterable[float]) -> float:
    """The expected ROC AUC of rows that are positive with these chances, ranked by them: counted pair by pair, over some of the rows."""
    some = np.array(list(chances)[:1500])
    positive, negative = np.meshgrid(some, some)
    weights = positive * (1 - negative)
    return float((weights * ((positive > negative) + (positive == negative) / 2)).sum() / weights.sum())
