"""The monitor sees what rows were answered with, whether the caller sent it or the store had it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookup_model import DATA, LOOKUPS, TODAY, UNREACHABLE, WHOLE, Runtime, invocations

from paved_runtime import tasks
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.monitoring import feature_groups
from paved_runtime.monitoring.bodies import Body
from paved_runtime.monitoring.request_log import Exchange, Reader, Reading

READER = Reader(tasks.of(DATA), LOOKUPS)
KEYED = {"age": 40, "customer": "c1"}


def stocked(**failing: Any) -> Runtime:
    runtime = Runtime(**failing)
    runtime.put("c1")
    return runtime


def exchanged(body: str, runtime: Runtime, kind: str = JSON, encoding: str = "JSON") -> Exchange:
    """A request to the model, as data capture has it."""
    reply = invocations(runtime).reply(kind, body.encode())

    def captured(text: str, content_type: str) -> Body:
        return Body(base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text, encoding, content_type)

    return Exchange(captured(body, kind), captured(reply.body.decode(), reply.content_type))


def read(*exchanges: Exchange) -> list[Reading]:
    return list(READER.read(exchanges))


@pytest.mark.parametrize(
    ("body", "kind", "encoding"),
    [
        (json.dumps(KEYED), JSON, "JSON"),
        (json.dumps({"instances": [KEYED]}), JSON, "BASE64"),
        (json.dumps(KEYED) + "\n", LINES, "BASE64"),
        ("customer,age\nc1,40\n", CSV, "BASE64"),
    ],
)
def test_a_row_that_was_looked_up_is_read_as_the_whole_row(body: str, kind: str, encoding: str) -> None:
    (whole,) = read(exchanged(json.dumps(WHOLE), Runtime()))
    (keyed,) = read(exchanged(body, stocked(), kind, encoding))

    assert np.array_equal(keyed.table.values, whole.table.values)
    assert (keyed.scores.tolist(), keyed.requests, keyed.failed, keyed.unreadable) == (whole.scores.tolist(), 1, 0, 0)


def test_csv_with_every_column_and_the_key_is_read() -> None:
    line = ",".join(["customer", *DATA.columns]) + "\nc1,40,12.5,gold,3,yes,hello\n"
    (whole,) = read(exchanged(json.dumps(WHOLE), Runtime()))
    (reading,) = read(exchanged(line, Runtime(), CSV, "CSV"))

    assert np.array_equal(reading.table.values, whole.table.values)


def test_values_without_a_record_are_missing() -> None:
    runtime = stocked()
    runtime.records["scores-activity", "c2"] = runtime.records["scores-activity", "c1"]
    (reading,) = read(exchanged(json.dumps([KEYED, KEYED | {"customer": "c2"}, WHOLE]), runtime))

    assert np.isnan(reading.table["balance"]).tolist() == [False, True, False]
    assert reading.table["visits"].tolist() == [3, 3, 3]
    assert len(reading.scores) == 3


def test_what_an_unanswered_row_would_have_got_is_not_known() -> None:
    broken = exchanged(json.dumps([KEYED | {"age": 999}, KEYED]), Runtime())
    (down,), (wrong,) = read(exchanged(json.dumps([KEYED, WHOLE]), Runtime(failures=[UNREACHABLE]))), read(broken)

    assert (down.table["age"].tolist(), down.requests, down.failed, down.unreadable) == ([40], 1, 1, 0)
    assert (np.isinf(wrong.table["age"]).tolist(), np.isnan(wrong.table["visits"]).tolist()) == ([True], [True])


@given(
    answer=st.text(max_size=40)
    | st.sampled_from(['{"predictions": [{"features": {"accounts": 7}}]}', '{"predictions": [{"features": 1}]}'])
)
def test_whatever_was_captured_is_read(answer: str) -> None:
    (reading,) = read(Exchange(Body(json.dumps(KEYED), "JSON", JSON), Body(answer + ' "features"', "JSON", JSON)))

    assert (reading.requests, reading.failed, len(reading.table)) == (1, 1, 0)


def test_a_looked_up_value_that_breaks_the_contract_is_infinite() -> None:
    values = {"balance": 1, "segment": "tin"}
    features = {"accounts": {"event_time": TODAY, "values": values}, "activity": {"event_time": None, "values": {"visits": None}}}
    answer = {"predictions": [{"score": 0.5, "features": features}]}
    (reading,) = read(Exchange(Body(json.dumps(KEYED), "JSON", JSON), Body(json.dumps(answer), "JSON", JSON)))

    assert [float(reading.table[name][0]) for name in ("balance", "segment", "visits")] == [1, np.inf, np.inf]


def column(psi: float | None, *, moved: bool = False, empty: float = 0.0) -> dict[str, Any]:
    return {"psi": psi, "moved": moved, "missing": {"expected": 0.1, "found": 0.1 + empty}}


def test_columns_of_a_group_are_judged_together() -> None:
    columns = {
        "age": column(9.0, moved=True),
        "balance": column(0.5, moved=True, empty=0.25),
        "segment": column(0.1),
        "visits": column(None),
        "insured": column(None, empty=-0.1),
        "note": column(None),
    }
    groups = feature_groups.judged(columns, LOOKUPS)

    assert groups["accounts"] == {
        "key": "customer",
        "columns": ["balance", "segment"],
        "moved": ["balance"],
        "psi": 0.5,
        "missing": pytest.approx(0.25),
    }
    assert (groups["activity"]["moved"], groups["activity"]["psi"], groups["activity"]["missing"]) == ([], None, 0.0)
    assert feature_groups.sentences(groups) == ["feature group accounts: 1 of 2 columns moved (balance)"]
    assert feature_groups.judged({}, LOOKUPS) == {}
    assert feature_groups.judged(columns, {}) == {}
