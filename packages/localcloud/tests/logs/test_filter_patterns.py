"""Filter patterns match what CloudWatch Logs says they match; others are refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.logs.filter_patterns import matcher
from localcloud.testing.accounts import Accounts, Json

EVENT = {"event": "scores", "rows": 50, "p50": 0.25, "deep": {"list": [{"x": "a b"}]}, "flag": True, "none": None}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.event = "scores" }', True),
        ("{ $.event = scores }", True),
        ('{ $.event = "sc*s" }', True),
        ('{ $.event != "scores" }', False),
        ("{ $.rows > 49.5 && $.p50 <= 2.5e-1 }", True),
        ("{ $.rows < 1 || ($.rows >= 50 && $.event = refused) }", False),
        ("{ ($.rows < 1 || $.rows = 50) && $.event = scores }", True),
        ('{ $.deep.list[0].x = "a b" }', True),
        ("{ $.p50 = * }", True),
        ("{ $.none = * }", False),
        ("{ $.absent != 3 }", False),
        ("{ $.flag = 1 }", False),
        ("scores", True),
        ('"\\"rows\\": 50" -refused', True),
        ("scores -event", False),
        ("?nothing ?rows", True),
        ("", True),
    ],
)
@pytest.mark.aws("metric filters on what containers print")
def test_patterns(cloud: Accounts, pattern: str, matches: bool) -> None:
    assert matched(cloud, pattern, json.dumps(EVENT)) == ([json.dumps(EVENT)] if matches else [])


def matched(cloud: Accounts, pattern: str, *lines: str) -> list[str]:
    answer = cloud.client("logs").test_metric_filter(filterPattern=pattern, logEventMessages=lines)
    return [match["eventMessage"] for match in answer["matches"]]


@pytest.mark.aws("metric filters on what containers print")
def test_a_json_pattern_passes_over_other_lines(cloud: Accounts) -> None:
    assert matched(cloud, "{ $.x = * }", "x = 1", '{"x": 1}', "[1]") == ['{"x": 1}']


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[ip, user, ...]", "\\[ip,"),
        ("%ERROR%", "%ERROR%"),
        ("{ $.x = %a% }", "%a%"),
        ("{ $.x IS TRUE }", "IS"),
        ("{ $.x NOT EXISTS }", "NOT"),
        ("{ $.x > abc }", "> needs a number"),
        ("{ ($.x = 1 }", "a bracket is not closed"),
        ("{ $.x = 1 $.y = 2 }", "\\$.y"),
        ("{ $.x = }", "\\$.x ="),
        ("{ }", "an empty condition"),
    ],
)
@pytest.mark.laptop("patterns that localcloud does not know, AWS does")
def test_other_patterns_are_refused_by_name(pattern: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        matcher(pattern)


@pytest.mark.laptop("a function of localcloud, for many patterns")
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(-9, 9) | st.text("xyz", max_size=3), max_size=4), st.integers(-9, 9)
)
def test_a_comparison_and_its_opposite_never_both_match(event: Json, number: int) -> None:
    line = json.dumps(event)
    more, less = (matcher(f"{{ $.a {sign} {number} }}")(line) is not None for sign in (">", "<="))

    assert more + less == isinstance(event.get("a"), int)
