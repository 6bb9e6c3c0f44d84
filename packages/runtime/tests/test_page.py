"""What pages share: one way to write figures, and nothing of others' that hides or becomes markup."""

from __future__ import annotations

import doctest

import pytest

from paved_runtime import page


def test_the_examples_in_its_docstrings_hold() -> None:
    assert doctest.testmod(page) == (0, 4)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (page.figure(-0.25), "\N{MINUS SIGN}0.25"),
        (page.figure(None), "\N{EN DASH}"),
        (page.interval(0.5, 0.5, 0.5), "0.500 (0.500\N{EN DASH}0.500)"),
        (page.interval(0.00042, 0.00031, 0.00055), "0.0004 (0.0003\N{EN DASH}0.0006)"),
        (page.interval(-0.25, -1, 0.5), "\N{MINUS SIGN}0.250 (\N{MINUS SIGN}1.000\N{EN DASH}0.500)"),
        (page.interval(0.80934, None, None), "0.8093"),
        (page.count(45211), "45,211"),
        (page.share(0.117), "11.7 %"),
    ],
)
def test_figures(text: str, written: str) -> None:
    assert text == written


def test_what_is_no_time_stays_as_it_is() -> None:
    assert page.moment("yesterday") == "yesterday"


def test_every_text_is_legible_and_lines_may_be_kept() -> None:
    content = {"a\u202eb": ["x\ny", 1, None]}

    assert page.legible_json(content) == {"a⟨U+202E⟩b": ["x⟨U+000A⟩y", 1, None]}
    assert page.legible_json(content, lines=True) == {"a⟨U+202E⟩b": ["x\ny", 1, None]}


def test_templates_escape_and_know_the_filters() -> None:
    template = page.environment("paved_runtime.page").from_string("{{ value }} {{ number | figure }}")

    assert template.render(value="<script>", number=0.5) == "&lt;script&gt; 0.5"


def test_large_figures_are_whole_and_small_ones_keep_their_digits() -> None:
    assert page.interval(2917.9, 2823.2, 3013.2) == "2,918 (2,823\N{EN DASH}3,013)"
    assert page.interval(12.345, 11.9, 12.8) == "12.3 (11.9\N{EN DASH}12.8)"
    assert page.interval(-0.0049, -0.0234, 0.0121) == "\N{MINUS SIGN}0.005 (\N{MINUS SIGN}0.023\N{EN DASH}0.012)"
    assert [page.figure(value) for value in (9_999.4, 51_234.4, -123_456.7, 3e13)] == ["9,999", "51,234", "\N{MINUS SIGN}123,457", "3·10¹³"]
