"""A row's digest is the same however the row is written, and another one for every other row."""

from __future__ import annotations

import doctest
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import digests as module
from paved_runtime.digests import REMEMBERED, SHORT, canonical, digests, seeded

large = st.from_regex(r"[-+]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][-+]?[0-9]{1,3})?", fullmatch=True)
small = st.from_regex(r"[-+]?([01]{1,2}(\.0{0,2})?|\.[01])(e[-+]?[01])?", fullmatch=True)  # two of them are often one number
numerals = small | large
cells = st.sampled_from(["", "1", "1.0", "one", "10", "0"]) | numerals | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
tables = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8)


def test_the_examples_in_its_docstrings_hold() -> None:
    assert doctest.testmod(module) == (0, 1)


@given(numerals, numerals)
def test_numerals_have_one_form_exactly_if_they_are_one_number(first: str, second: str) -> None:
    assert (canonical(first) == canonical(second)) == (Decimal(first) == Decimal(second))
    assert canonical(canonical(first)) == canonical(first)


@given(st.integers(-(10**30), 10**30), st.integers(0, 5), st.sampled_from(["", "+"]))
def test_one_number_in_many_spellings(number: int, zeros: int, sign: str) -> None:
    text = ("" if number < 0 else sign) + str(number)
    spellings = [text, f"{text}.", f"{text}.{'0' * zeros}", f"{text}e0", f"{text}{'0' * zeros}E-{zeros}"]

    assert len({canonical(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize("text", ["nan", "inf", " 1", "1 ", "1,5", "0x10", "1_000", "one", "", "+", "1e", "\u0661", "1e" + "9" * 40])
def test_other_text_is_itself(text: str) -> None:
    assert canonical(text) == text


@given(tables, st.permutations(["a", "b", "c"]))
def test_the_order_of_columns_does_not_matter(rows: list[tuple[str, str, str]], order: list[str]) -> None:
    columns = dict(zip("abc", zip(*rows, strict=True), strict=True))

    assert np.array_equal(digests(columns.items()), digests((name, columns[name]) for name in order))


@given(tables)
def test_rows_have_one_digest_exactly_if_they_say_the_same(rows: list[tuple[str, str, str]]) -> None:
    made = digests(zip("abc", zip(*rows, strict=True), strict=True)).tolist()
    said = [tuple(map(canonical, row)) for row in rows]

    assert [[one == other for other in made] for one in made] == [[one == other for other in said] for one in said]


def test_a_cell_counts_in_its_column_alone() -> None:
    swapped = digests([("a", ["1", "2"]), ("b", ["2", "1"])])
    renamed = digests([("a", ["1"]), ("c", ["2"])])

    assert len({*swapped.tolist(), *renamed.tolist()}) == 3


def test_many_and_long_cells_are_digested_like_few_and_short_ones() -> None:
    """What is remembered of cells is bounded, and changes nothing."""
    many = [str(number) for number in range(REMEMBERED + 100)]
    once = digests([("a", many)])
    with_long = digests([("a", [*many[:100], "x" * (SHORT + 1)])])

    assert np.array_equal(once, digests([("a", many)]))
    assert np.array_equal(once[:100], with_long[:100])
    assert len(set(once.tolist())) == len(many)


def test_another_seed_is_another_order_and_equal_rows_stay_equal() -> None:
    rows = digests([("a", [str(number) for number in range(1000)] * 2)])
    orders = [np.argsort(seeded(rows, seed), kind="stable") for seed in range(3)]

    for seed in range(3):
        values = seeded(rows, seed)
        assert np.array_equal(values[:1000], values[1000:])
        assert len(set(values.tolist())) == 1000
    ranks = np.corrcoef([np.argsort(order) for order in orders])
    assert np.abs(ranks[np.triu_indices(3, 1)]).max() < 0.1
