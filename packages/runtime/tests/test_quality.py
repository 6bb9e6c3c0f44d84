"""What is asked of a data set as a whole: each check says its number, passes what is right, and agrees with the plain computation."""

from __future__ import annotations

from collections import Counter

import frames
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import quality, split
from paved_runtime.contract import Check
from paved_runtime.spec import Data, Number, Share
from paved_runtime.table import Examples, Matrix, Table, Values

NUMBER = Number(type="number", minimum=-1e9, maximum=1e9)
UNJUDGED = {"maximum_column_auc": 1.0, "maximum_pair_auc": 1.0, "maximum_missing_auc": 1.0, "maximum_missing_ratio": 1e9}
ROWS = 4000


def data(**settings: object) -> Data:
    required = {
        "target": "y",
        "positive": "yes",
        "negative": "no",
        "minimum_rows": 100,
        "holdout": 0.2,
        "columns": {"amount": NUMBER, "other": NUMBER},
    }
    return Data.model_validate({**required, **settings})


def labels(share: float = 0.2, rows: int = ROWS) -> Matrix:
    outcomes: Matrix = np.random.default_rng(1).permutation((np.arange(rows) < share * rows).astype(np.float32))
    return outcomes


def noise(seed: int = 2, rows: int = ROWS) -> Values:
    return np.random.default_rng(seed).normal(size=rows)


def examples(amount: Values, outcome: Matrix | Values) -> Examples:
    return frames.examples(Table({"amount": 0, "other": 1}, np.column_stack([amount, noise(3, len(amount))])), outcome)


def failing(rows: Examples, contract: Data) -> list[Check]:
    checks = quality.checks(rows, contract, split.order(rows.digests, seed=0))
    return [check for check in checks if not check.passed]


def test_a_good_data_set_passes() -> None:
    assert failing(examples(noise(), labels()), data()) == []


def test_too_few_rows() -> None:
    (check,) = failing(examples(noise(), labels()), data(minimum_rows=4001))

    assert str(check) == "expected at least 4001 rows, found 4000"


@pytest.mark.parametrize(("share", "found"), [(0.04, "0.0400"), (0.26, "0.2600")])
def test_an_unusual_label_rate(share: float, found: str) -> None:
    contract = data(positive_share=Share(minimum=0.05, maximum=0.25))
    (check,) = failing(examples(noise(), labels(share)), contract)

    assert str(check) == f"column 'y': expected a share of 'yes' between 0.05 and 0.25, found {found}"
    assert failing(examples(noise(), labels(0.05)), contract) == failing(examples(noise(), labels(0.25)), contract) == []


def test_outcomes_too_rare_to_learn_from() -> None:
    """What cannot be judged is refused, not passed: no column has a leak check, and the outcomes' own check fails."""
    rows = examples(noise(), labels(24 / ROWS))
    (check,) = failing(rows, data())

    assert (check.rule, check.found) == ("outcomes", "24 of the rarest one")
    assert "leak" not in {check.rule for check in quality.checks(rows, data(), split.order(rows.digests, seed=0))}


def test_repeated_rows() -> None:
    rows = examples(noise(), labels())
    twice = rows.take(np.array([*range(ROWS), *range(7, 407)], dtype=np.intp))
    (check,) = failing(twice, data())

    assert (check.rule, check.found, check.count, check.rows) == ("duplicates", "0.0909", 400, (4001, 4002, 4003, 4004, 4005))
    assert failing(twice, data(maximum_duplicates=0.1)) == []


cells = st.sampled_from([0.0, 1.0, 2.5, np.nan, np.inf])


@given(st.lists(st.tuples(cells, cells, st.sampled_from([0.0, 1.0])), min_size=1, max_size=30))
def test_repeats_are_those_that_counting_finds(rows: list[tuple[float, float, float]]) -> None:
    table = Table({"amount": 0, "other": 1}, np.array([row[:2] for row in rows]))
    data_set = frames.examples(table, np.array([row[2] for row in rows], np.float32))
    seen: Counter[str] = Counter()
    wanted = []
    for number, row in enumerate(rows):
        seen[str(row)] += 1
        wanted += [number] if seen[str(row)] > 1 and np.inf not in row else []

    assert quality.repeats(data_set).tolist() == wanted


@pytest.mark.parametrize(("accepted", "rules"), [(0.3, []), (0.29, ["missing"]), (0.0, ["missing"])])
def test_a_share_of_empty_cells(accepted: float, rules: list[str]) -> None:
    amount = np.where(np.arange(ROWS) % 10 < 3, np.nan, noise())
    checks = failing(examples(amount, labels()), data(columns={"amount": NUMBER.model_copy(update={"missing": accepted}), "other": NUMBER}))

    assert [check.rule for check in checks] == rules
    assert [(check.column, check.found, check.count, check.rows) for check in checks] == [
        ("amount", "0.3000", 1200, (1, 2, 3, 11, 12))
    ] * len(rules)


@pytest.mark.parametrize(
    ("amount", "constant"), [(np.zeros(ROWS), True), (np.full(ROWS, np.nan), True), (np.where(labels() == 1, np.nan, 0), False)]
)
def test_a_column_that_does_not_vary(amount: Values, constant: bool) -> None:
    column = NUMBER.model_copy(update={"missing": 1.0})
    failed = failing(examples(amount, labels()), data(columns={"amount": column, "other": NUMBER}, maximum_duplicates=1, **UNJUDGED))

    assert [(check.column, check.rule, check.found) for check in failed] == ([("amount", "constant", "1")] if constant else [])


OUTCOME = labels()
LEAKS = {
    "the outcome itself": OUTCOME * 1.0,
    "its opposite": 5 - OUTCOME,
    "a noisy copy": OUTCOME + 0.3 * noise(),
    "both ends of a range": np.where(OUTCOME == 1, 3 * np.sign(noise(4)), 0) + 0.5 * noise(),
    "every other number": 2.0 * np.random.default_rng(6).integers(0, 20, ROWS) + OUTCOME,
    "one magic number": np.where(OUTCOME == 1, 99_999.0, noise()),
    "an empty cell": np.where(OUTCOME == 1, np.nan, noise()),
    "a filled cell": np.where(OUTCOME == 1, noise(), np.nan),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_that_tells_the_outcome(name: str) -> None:
    contract = data(columns={"amount": NUMBER.model_copy(update={"missing": 1.0}), "other": NUMBER})
    check, *others = failing(examples(LEAKS[name], OUTCOME), contract)

    assert {other.rule for other in others} == ({"missing leak"} if np.isnan(LEAKS[name]).any() else set())
    assert (check.column, check.rule, check.allowed) == ("amount", "leak", "a ROC AUC of at most 0.95 from this column alone")
    assert float(check.found) > 0.95
    assert "move amount to data.exclude in model.toml" in check.advice
    assert failing(examples(LEAKS[name], OUTCOME), contract.model_copy(update=UNJUDGED)) == []


def test_two_columns_that_tell_the_outcome_only_together() -> None:
    """Other columns that go with one of them are not named: the pair is, once."""
    coin = noise(8) > 0
    table = Table({"amount": 0, "other": 1, "more": 2}, np.column_stack([coin, coin != (OUTCOME == 1), noise()]))
    contract = data(columns=dict.fromkeys(("amount", "other", "more"), NUMBER), maximum_duplicates=1)
    (check,) = failing(frames.examples(table, OUTCOME), contract)

    assert (check.rule, check.found) == ("pair leak", "1.0000")
    assert set(check.column.split(" and ")) == {"amount", "other"}
    assert check.allowed == "a ROC AUC of at most 0.95 from two columns together"
    assert "move what is known only afterwards to data.exclude in model.toml" in check.advice
    assert failing(frames.examples(table, OUTCOME), contract.model_copy(update={"maximum_pair_auc": 1.0})) == []


def test_a_column_that_tells_the_outcome_alone_is_no_part_of_a_pair() -> None:
    rows = examples(OUTCOME.astype(np.float64), OUTCOME)

    assert [check.rule for check in failing(rows, data())] == ["leak"]


PARTLY = {
    "for one outcome only": (0.3, 0.0, "0.65"),
    "the other only": (0.0, 0.3, "0.65"),
    "filled for one only": (1.0, 0.7, "0.65"),
    "far more often for one": (0.5, 0.1, "0.7"),
}


@pytest.mark.parametrize("name", PARTLY)
def test_cells_whose_emptiness_tells_the_outcome(name: str) -> None:
    """A part of one outcome's cells: the column itself is noise, and with its empty cells it stays far below what a column may tell."""
    negative, positive, about = PARTLY[name]
    empty = np.random.default_rng(11).random(ROWS) < np.where(OUTCOME == 1, positive, negative)
    contract = data(columns={"amount": NUMBER.model_copy(update={"missing": 1.0}), "other": NUMBER})
    (check,) = failing(examples(np.where(empty, np.nan, noise()), OUTCOME), contract)
    shares = f"empty in {empty[OUTCOME == 1].mean():.1%} of the rows with 'yes' and in {empty[OUTCOME == 0].mean():.1%} of the others"

    assert (check.column, check.rule) == ("amount", "missing leak")
    assert float(check.found.partition(",")[0]) == pytest.approx(float(about), abs=0.02)
    assert check.found.endswith(shares)
    assert check.allowed.startswith(
        "a ROC AUC of at most 0.65 from which cells are empty, none of the two outcomes having more than 10 times"
    )
    assert "if amount is filled only afterwards, move it to data.exclude in model.toml" in check.advice
    assert failing(examples(np.where(empty, np.nan, noise()), OUTCOME), contract.model_copy(update=UNJUDGED)) == []


@pytest.mark.parametrize("shares", [(0.3, 0.3), (0.3, 0.2), (0.05, 0.15), (0.001, 0.0), (0.9, 0.99)])
def test_honest_empty_cells_pass(shares: tuple[float, float]) -> None:
    """Many that say nothing or little, and few that happen to be one outcome's."""
    empty = np.random.default_rng(12).random(ROWS) < np.where(OUTCOME == 1, *shares[::-1])
    contract = data(columns={"amount": NUMBER.model_copy(update={"missing": 1.0}), "other": NUMBER})

    assert failing(examples(np.where(empty, np.nan, noise()), OUTCOME), contract) == []


def test_columns_whose_empty_cells_tell_the_outcome_together() -> None:
    """Thirty columns; in each, a tenth of one outcome's cells and a quarter of the other's."""
    names = [f"c{place}" for place in range(30)]
    draw = np.random.default_rng(13)
    empty = draw.random((ROWS, 30)) < np.where(OUTCOME == 1, 0.1, 0.25)[:, None]
    table = Table({name: place for place, name in enumerate(names)}, np.where(empty, np.nan, draw.normal(size=(ROWS, 30))))
    contract = data(columns=dict.fromkeys(names, NUMBER.model_copy(update={"missing": 1.0})), maximum_pair_auc=0.8, maximum_column_auc=0.8)
    (check,) = failing(frames.examples(table, OUTCOME), contract)

    assert (check.column, check.rule, check.allowed) == ("", "missing leak", "a ROC AUC of at most 0.8 from which cells of a row are empty")
    assert float(check.found) > 0.85
    assert "find out when c0, c1, c2" in check.advice


def test_refused_cells_are_left_out() -> None:
    """They are no missing cells: that a tenth of the positive rows were mistyped tells nothing about the column."""
    amount = np.where((OUTCOME == 1) & (np.arange(ROWS) % 10 < 9), np.inf, noise())
    rows = examples(amount, OUTCOME)
    checks = quality.checks(rows, data(), split.order(rows.digests, seed=0))
    leak = next(check for check in checks if check.column == "amount" and check.rule == "leak")

    assert float(leak.found) == pytest.approx(0.5, abs=0.1)
    assert all(check.passed for check in checks)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = examples(np.round(noise() + OUTCOME), OUTCOME)
    shuffled = rows.take(np.random.default_rng(7).permutation(ROWS))
    once, again = (quality.checks(part, data(), split.order(part.digests, seed=0)) for part in (rows, shuffled))

    assert once == again


def test_a_change_against_the_champion() -> None:
    stays, moves = quality.changed({"amount": 0.25, "other": 0.2501}, data(maximum_change=0.25))

    assert (stays.passed, moves.passed) == (True, False)
    assert moves.found == "0.2501"
    assert "raise data.maximum_change" in moves.advice


CLASSES = ("a", "b", "c", "d", "e")
PLACES = np.random.default_rng(8).permutation(np.arange(ROWS) % 5).astype(np.float64)
AMOUNTS = np.random.default_rng(9).gamma(2.0, 500.0, ROWS)
UNDECLARED = {"positive": None, "negative": None}
GRADED = data(**UNDECLARED, classes=CLASSES)
MEASURED = data(**UNDECLARED, target_minimum=0, target_maximum=1e6)


@pytest.mark.parametrize(
    ("amount", "event"),
    [
        (np.where(PLACES == 3, 5.0, 0.0) + 0.3 * noise(), "d"),
        (np.where(PLACES == 0, np.nan, noise()), "a"),
        (np.where(PLACES == 4, 2.0 * noise(4).round() + 0.5, 2.0 * noise(5).round()), "e"),
    ],
)
def test_a_column_that_tells_one_class_of_five_is_a_leak_and_the_class_is_named(amount: Values, event: str) -> None:
    column = NUMBER.model_copy(update={"missing": 1.0})
    contract = GRADED.model_copy(update={"columns": {"amount": column, "other": NUMBER}})
    failed = {check.rule: check for check in failing(examples(amount, PLACES), contract)}

    assert failed["leak"].column == "amount"
    assert failed["leak"].found.endswith(f" for {event!r}")
    assert float(failed["leak"].found.split()[0]) > 0.95


@pytest.mark.parametrize("contract", [GRADED, MEASURED])
def test_a_good_data_set_of_another_task_passes(contract: Data) -> None:
    """What tells something of the outcome, as features do, is no leak."""
    outcome = PLACES if contract is GRADED else AMOUNTS
    telling = outcome / outcome.std() + noise()

    assert failing(examples(telling, outcome), contract) == []


@pytest.mark.parametrize("amount", [AMOUNTS + 50 * noise(), -AMOUNTS, np.log(AMOUNTS) + 0.05 * noise(), np.round(AMOUNTS, -2)])
def test_a_column_that_tells_a_number_is_a_leak(amount: Values) -> None:
    (check,) = failing(examples(amount, AMOUNTS), MEASURED)

    assert (check.column, check.rule) == ("amount", "leak")
    assert "tells the outcome" in check.advice


@pytest.mark.parametrize(("share", "most"), [(0.6, 1000.0), (0.6, 0.0), (0.4, 1000.0)])
def test_a_number_that_most_rows_share_hides_no_leak(share: float, most: float) -> None:
    """Most of them have the largest amount, the smallest, or a usual one."""
    amounts = np.where(np.arange(ROWS) < share * ROWS, most, np.random.default_rng(2).random(ROWS) * (900 if most else 1000) + 1)
    outcome = np.random.default_rng(3).permutation(amounts)
    (check,) = failing(examples(outcome + 0.01 * noise(), outcome), MEASURED)

    assert (check.column, check.rule) == ("amount", "leak")


def test_two_columns_that_tell_one_class_together_are_a_leak() -> None:
    amount = noise(6)
    rows = examples(amount, PLACES)
    rows.table["other"][:] = np.where(PLACES == 2, 1, -1) * np.sign(amount) * np.abs(noise(7))
    (check,) = failing(rows, GRADED)

    assert (check.column, check.rule) == ("amount and other", "pair leak")
    assert check.found.endswith(" for 'c'")


def test_which_cells_are_empty_may_tell_one_class() -> None:
    column = NUMBER.model_copy(update={"missing": 1.0})
    contract = GRADED.model_copy(update={"columns": {"amount": column, "other": NUMBER}})
    amount = np.where((PLACES == 1) & (noise(4) > -0.5) | (noise(5) > 1.5), np.nan, noise())
    (check,) = failing(examples(amount, PLACES), contract)

    assert check.rule == "missing leak"
    assert "of the rows with 'b'" in check.found


@pytest.mark.parametrize(("rare", "rules"), [(25, []), (24, ["outcomes"]), (0, ["outcomes", "label rate"])])
def test_a_class_that_is_too_rare_is_refused(rare: int, rules: list[str]) -> None:
    kept = np.setdiff1d(np.arange(ROWS), np.flatnonzero(PLACES == 4)[rare:])
    rows = examples(noise(), PLACES).take(kept)

    assert [check.rule for check in failing(rows, GRADED)] == rules


def test_an_unusual_share_of_a_class_names_it() -> None:
    (check,) = failing(examples(noise(), np.where(PLACES == 4, 0, PLACES)[:ROWS]), GRADED)[1:]

    assert str(check) == "column 'y': expected a share of 'e' between 0.001 and 0.999, found 0.0000"


@pytest.mark.parametrize(("low", "high", "passes"), [(900, 1100, True), (1100, 2000, False), (0, 900, False)])
def test_an_unusual_mean(low: float, high: float, passes: bool) -> None:
    contract = data(**UNDECLARED, target_minimum=0, target_maximum=1e6, target_mean={"minimum": low, "maximum": high})
    failed = failing(examples(noise(), AMOUNTS), contract)

    assert [str(check) for check in failed] == (
        [] if passes else [f"column 'y': expected a mean between {low} and {high}, found {AMOUNTS.mean():.4f}"]
    )


def test_a_number_that_is_the_same_in_every_row_is_refused() -> None:
    failed = failing(examples(noise(), np.full(ROWS, 0.1)), MEASURED)

    assert [(check.rule, check.found) for check in failed] == [("outcomes", "1 different")]
