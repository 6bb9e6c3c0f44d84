"""Bodies of requests to the frozen model: a good row, and what callers may send instead."""

from __future__ import annotations

import json
from typing import Any

from container import MODEL
from hypothesis import strategies as st

from paved_runtime import spec
from paved_runtime.spec import Category, Column, Integer


def _value(column: Column) -> str | int:
    if isinstance(column, Category):
        return column.values[1]
    assert isinstance(column, Integer)
    return column.maximum - 1


DATA = spec.load(MODEL).data
ROW: dict[str, Any] = {name: _value(column) for name, column in DATA.columns.items()}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.integers(18, 120)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8
)
names = st.sampled_from([*DATA.columns, "duration", "y", *spec.RESERVED, "unknown"])
edits = st.dictionaries(names, junk | st.sampled_from([1, 20, 20.0, 20.5, "yes", "may", "a:b", '"instances"']), max_size=3)
edited = edits.map(lambda changes: ROW | changes)
batches = st.fixed_dictionaries(
    {"instances": st.just([ROW]) | st.lists(edited, max_size=2)},
    optional={"explain": st.booleans() | junk, "describe": st.booleans() | junk},
) | st.dictionaries(st.sampled_from(spec.RESERVED), st.booleans() | junk, min_size=1)
bodies = st.one_of(
    junk.map(json.dumps),
    edited.map(json.dumps),
    st.lists(edited | st.just(ROW), max_size=4).map(lambda rows: json.dumps({"instances": rows})),
    st.tuples(edited, junk).map(lambda pair: json.dumps({"instances": [pair[0]], "more": pair[1]})),
    batches.map(json.dumps),
    st.tuples(st.booleans(), batches).map(lambda pair: json.dumps(pair[1]).replace("{", f'{{"explain": {json.dumps(pair[0])}, ', 1)),
    st.tuples(names, junk).map(lambda pair: json.dumps(ROW).replace("{", f"{{{json.dumps(pair[0])}: {json.dumps(pair[1])}, ", 1)),
    st.text(max_size=30),
)
