"""JSONPath expressions of transform jobs: what each selects, and that every other is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.sagemaker.json_paths import Absent, parsed

pytestmark = pytest.mark.laptop("a function of localcloud; what jobs make of it is tested with them")
VALUE: dict[str, Any] = {"a": {"b": 1, "c-d": [10, 11, 12]}, "id": "x", "e f": None}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("$", VALUE),
        ("$.a.b", 1),
        ("$['a']['b']", 1),
        ('$["e f"]', None),
        ("$.a.c-d[0]", 10),
        ("$.a['c-d'][-1]", 12),
        ("$.a.c-d[1:]", [11, 12]),
        ("$.a.c-d[:-1]", [10, 11]),
        ("$.a.c-d[0, -1]", [10, 12]),
        ("$.a.c-d[2,0:1]", [12, 10]),
        ("$['id','a']", {"id": "x", "a": VALUE["a"]}),
    ],
)
def test_an_expression_selects(text: str, selected: Any) -> None:
    assert parsed(text).select(VALUE) == selected


@pytest.mark.parametrize("text", ["$.x", "$['id','x']", "$[0]", "$.a.c-d[3]", "$.a.c-d.b", "$.a.b[1:]", "$.id.x", "$.e"])
def test_what_is_not_there_is_an_error(text: str) -> None:
    with pytest.raises(Absent, match="selects what is not there"):
        parsed(text).select(VALUE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "$.",
        "$..a",
        "$.*",
        "$[*]",
        "$[?(@.a)]",
        "$[1:2:3]",
        "$.a.length()",
        "$['a','b'].c",
        "$[1:].a",
        "$['a]",
        "$[]",
        "$ .a",
        "@.a",
    ],
)
def test_another_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match=r"accepted is \$ with names and places"):
        parsed(text)


@given(st.lists(st.integers(), min_size=1), st.data())
def test_places_are_those_of_the_array(array: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(-len(array), len(array) - 1))
    first, last = (data.draw(st.none() | st.integers(-9, 9)) for _ in range(2))
    text = f"$[{place},{'' if first is None else first}:{'' if last is None else last}]"
    assert parsed(text).select(array) == [array[place], *array[first:last]]


@given(st.text(alphabet="$.[]'\"ab01:,- *?"))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        path = parsed(text)
    except ValueError:
        return
    assert path.text == text
