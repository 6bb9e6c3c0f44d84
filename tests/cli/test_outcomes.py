"""What a target column's cells are taken for, which tasks a person may have instead, and what no model can come of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import outcomes
from cli.outcomes import ROWS_A_CLASS, Amounts, Outcomes, Several, Two
from cli.problem import Problem
from paved_runtime import quality
from paved_runtime.spec import TaskName, alike

WHAT = "target 'y' of FILE"


def each(*values: str, rows: int = ROWS_A_CLASS) -> list[str]:
    """Every value so often."""
    return list(values) * rows


def refusal(cells: Sequence[str], task: TaskName | None = None, positive: str | None = None) -> str:
    with pytest.raises(Problem) as raised:
        outcomes.read(WHAT, cells, task=task, positive=positive)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_class_has_as_many_rows_as_the_data_contract_asks_for() -> None:
    assert ROWS_A_CLASS == quality.OUTCOMES


@pytest.mark.parametrize(
    ("cells", "wanted", "positive"),
    [
        (["no", "yes", "no"], None, "yes"),
        (["no", "yes", "no"], "no", "no"),
        (["0", "1", "1"], None, "1"),
        (["good", "Bad", "good"], None, "Bad"),
        (["kept", "left", "kept"], None, "left"),
        (["1.5", "2.5", "2.5"], None, "1.5"),
    ],
)
def test_of_two_outcomes_the_positive_one_is_named_or_the_usual_word_or_the_rarer(
    cells: list[str], wanted: str | None, positive: str
) -> None:
    two = outcomes.read(WHAT, cells, positive=wanted)

    assert isinstance(two, Two)
    assert (two.positive, {two.positive, two.negative}) == (positive, set(cells))
    assert two.share == cells.count(positive) / 3


@pytest.mark.parametrize(
    ("cells", "task", "why"),
    [
        (each("low", "medium", "high"), "multiclass", ""),
        (each("1", "2", "3"), "multiclass", outcomes.AS_NUMBERS),
        (each(*map(str, range(10))), "multiclass", outcomes.AS_NUMBERS),
        (each(*map(str, range(11))), "regression", outcomes.AS_CLASSES),
        ([*each("1", "2", "3"), "4"], "regression", ""),
        (each("0.5", "1.5", "2.5"), "regression", outcomes.AS_CLASSES),
        ([f"{number / 7}" for number in range(60)], "regression", ""),
    ],
)
def test_the_likelier_task_is_taken_and_the_other_one_named(cells: list[str], task: str, why: str) -> None:
    read = outcomes.read(WHAT, cells)
    assert (read.task, read.why) == (task, why)


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (each("1", "2", "3"), "regression"),
        (each("0.5", "1.5", "2.5"), "multiclass"),
        (each(*map(str, range(15))), "multiclass"),
        (each("0", "1"), "regression"),
        (each(*(f"{letter}{other}" for letter in "abcdef" for other in "abcde")), "multiclass"),
    ],
)
def test_a_person_may_have_the_other_one(cells: list[str], task: TaskName) -> None:
    assert outcomes.read(WHAT, cells).task != task if len(set(cells)) < 21 else refusal(cells)
    assert outcomes.read(WHAT, cells, task=task).task == task


@pytest.mark.parametrize(
    ("cells", "classes"),
    [(each("10", "9", "-1"), ("-1", "9", "10")), (each("medium", "low", "high"), ("high", "low", "medium"))],
)
def test_classes_are_in_the_order_of_their_numbers_or_letters(cells: list[str], classes: tuple[str, ...]) -> None:
    several = outcomes.read(WHAT, cells)
    assert isinstance(several, Several)
    assert tuple(several.counts) == classes
    assert several.rarest == pytest.approx(1 / 3)


def test_numbers_are_described_as_a_whole() -> None:
    amounts = outcomes.read(WHAT, [str(number) for number in range(100, 0, -1)])
    assert isinstance(amounts, Amounts)
    assert (amounts.ordered[0], amounts.ordered[-1], amounts.mean, amounts.whole) == (1, 100, 50.5, True)
    assert amounts.deviation == pytest.approx(28.87, abs=0.01)


TEXTS = [f"text {number}" for number in range(500)]


@pytest.mark.parametrize(
    ("cells", "task", "expected"),
    [
        (["1", "1"], None, "every row has '1': a model needs rows of both outcomes, or of several numbers"),
        (["1", "", " "], None, "2 rows have none, the first is row 2: take those rows out, or fill them in"),
        (["no", "No "], None, "'no' and 'No ' are one outcome written in several ways: write it in one way"),
        (["no", "Yes", "yes"], None, "'Yes' and 'yes' are one outcome written in several ways: write it in one way"),
        (each("1", "1.0", "2"), None, "'1' and '1.0' are one outcome written in several ways: write it in one way"),
        ([*each("a", "b"), "c"], None, "class 'c' has 1 row: deliver 25 of each class, put rare ones together, or take their rows out"),
        (
            TEXTS,
            None,
            "it has 500 texts: 'text 0', 'text 1', 'text 2', 'text 3', 'text 4', …: choose a target of two outcomes, up to 20 classes, or "
            "numbers",
        ),
        (
            TEXTS[:40],
            None,
            "it has 40 texts: 'text 0', 'text 1', 'text 2', 'text 3', 'text 4', …: choose a target of two outcomes, up to 20 classes, or "
            "numbers; --task multiclass takes up to 100",
        ),
        (TEXTS, "multiclass", "it has 500 values, and a model has 3 to 100 classes: leave --task multiclass out, or choose another target"),
        (
            [*map(str, range(500))],
            "multiclass",
            "it has 500 values, and a model has 3 to 100 classes: --task regression takes its values as numbers",
        ),
        (
            [*map(str, range(500)), "n/a"],
            None,
            "numbers and texts are mixed, such as 'n/a': choose a target of two outcomes, up to 20 classes, or numbers",
        ),
        (each("low", "high"), "regression", "'low' is no number: choose a target of numbers, or leave --task regression out"),
        (["1", "2", "3"], None, "it has 3 rows: deliver 50 or more"),
        (["1", "1.0", "+1"], None, "every row has 1: a model needs rows of several numbers"),
        ([*map(str, range(60)), "1e400"], None, "it has numbers that are too large to be exact: state them in a larger unit"),
        (
            each("a", "b", "c"),
            "binary",
            "it has 3 values: 'a', 'b', 'c': choose a target with two outcomes, or leave --task binary out",
        ),
    ],
)
def test_a_target_that_no_model_can_have_is_refused(cells: list[str], task: TaskName | None, expected: str) -> None:
    assert refusal(cells, task) == f"{WHAT}: {expected}"


def test_a_positive_outcome_is_one_of_two() -> None:
    assert refusal(["a", "b"], positive="c") == f"--positive c: {WHAT} has 'a' and 'b': name one"
    assert refusal(each("a", "b", "c"), positive="a") == f"--positive a: {WHAT} is that of multiclass, which has none: leave it out"


CELLS = st.sampled_from(["", " ", "0", "-0", "1", "01", "1.0", "1e3", "1e999", "yes", "Yes", "no", "n/a", "nan", "٣", "\u2028"]) | st.text(
    max_size=3
)


@given(st.lists(CELLS, min_size=1, max_size=5), st.integers(1, 60), st.sampled_from([None, "binary", "multiclass", "regression"]))
def test_any_cells_are_read_or_refused_in_one_line(pool: list[str], rows: int, task: TaskName | None) -> None:
    cells = pool * rows
    try:
        read: Outcomes | str = outcomes.read(WHAT, cells, task=task)
    except Problem as problem:
        read = str(problem)
    if isinstance(read, str):
        assert "\n" not in read
        return
    assert task in (None, read.task)
    assert all(cell.strip() for cell in cells)
    if isinstance(read, Amounts):
        assert len(read.numbers) == len(cells)
    else:
        assert sum(read.counts.values()) == len(cells)
        assert not any(alike(one, other) for one, other in combinations(read.counts, 2))
