"""A row gets what its key stands for, or is refused with the reason; one that has all columns is answered without the store."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from documents import departures
from hypothesis import given
from hypothesis import strategies as st
from lookup_model import (
    ACCOUNTS,
    ACTIVITY,
    DATA,
    GROUPS,
    LONG_AGO,
    LOOKUPS,
    SPEC,
    THROTTLED,
    TODAY,
    UNREACHABLE,
    WHOLE,
    Runtime,
    invocations,
    lookups,
)
from server import call

from paved_runtime import golden, openapi
from paved_runtime.invocations import Invocations
from paved_runtime.job import SCORE_LOG_SECONDS
from paved_runtime.lookups import MOST, Lookups
from paved_runtime.media_types import CSV, JSON, LINES, RequestError, content
from paved_runtime.online_store import TRIES, OnlineStore
from paved_runtime.requests import Question, Requests
from paved_runtime.score_log import ScoreLog
from paved_runtime.serving import application

KEYED = {"age": 40, "customer": "c1"}
EVERYTHING = {
    "accounts": {"event_time": TODAY, "values": {"balance": 12.5, "segment": "gold"}},
    "activity": {"event_time": LONG_AGO, "values": {"visits": 3, "insured": True, "note": "hello"}},
}
Json = dict[str, Any]


@pytest.fixture
def runtime() -> Runtime:
    runtime = Runtime()
    runtime.put("c1")
    return runtime


def read(runtime: Runtime | None, body: object, kind: str = JSON) -> Question:
    text = body if isinstance(body, str) else json.dumps(body)
    return Requests(DATA, lookups(runtime)).read(content(kind), text.encode())


def refusal(runtime: Runtime | None, body: object, kind: str = JSON) -> tuple[int, str]:
    with pytest.raises(RequestError) as refused:
        read(runtime, body, kind)
    return refused.value.status, str(refused.value)


def rows(question: Question) -> list[Json]:
    assert question.table is not None
    return [dict(zip(DATA.columns, row, strict=True)) for row in question.table.values.tolist()]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (KEYED, JSON),
        ([KEYED], JSON),
        ({"instances": [KEYED]}, JSON),
        (KEYED, LINES),
        ("customer,age\nc1,40\n", CSV),
        ("age,comment,customer\n40,x,c1", f"{CSV}; header=present"),
    ],
)
def test_a_key_stands_for_what_the_store_has(runtime: Runtime, body: object, kind: str) -> None:
    question, whole = read(runtime, body, kind), read(None, WHOLE)

    assert rows(question) == rows(whole)
    assert question.table is not None
    assert question.table.texts["note"].tolist() == ["hello"]
    assert json.loads(json.dumps(EVERYTHING)) == {
        group: {"event_time": each.event_time, "values": each.values} for group, each in question.looked_up[0].items()
    }
    assert len(runtime.asked) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (WHOLE, JSON),
        (WHOLE | {"customer": "c1"}, JSON),
        ([list(WHOLE.values())], JSON),
        (json.dumps(WHOLE) + "\n" + json.dumps(WHOLE | {"customer": None}), LINES),
        ("40,12.5,gold,3,yes,hello", CSV),
        ("customer,age,balance,segment,visits,insured,note\nc1,40,12.5,gold,3,yes,hello", CSV),
    ],
)
def test_a_row_with_all_columns_is_taken_as_it_is(body: object, kind: str) -> None:
    runtime = Runtime(failures=[UNREACHABLE])
    question = read(runtime, body, kind)

    assert rows(question)[0] == rows(read(None, WHOLE))[0]
    assert not any(question.looked_up)
    assert runtime.asked == []


def test_each_group_is_looked_up_by_itself(runtime: Runtime) -> None:
    mixed = {"age": 40, "balance": -1, "segment": None, "customer": "c1"}
    question = read(runtime, [mixed, WHOLE, KEYED])

    assert [list(each) for each in question.looked_up] == [["activity"], [], ["accounts", "activity"]]
    assert [row["balance"] for row in rows(question)] == [-1, 12.5, 12.5]
    assert [each["FeatureGroupName"] for each in runtime.asked[0]] == ["scores-accounts", "scores-activity"]


def test_many_rows_are_one_question_a_hundred_keys() -> None:
    runtime = Runtime()
    for number in range(150):
        runtime.put(str(number), ACCOUNTS | {"balance": str(number)})
    question = read(runtime, [{"age": 1, "customer": number % 150} for number in range(300)])

    assert [row["balance"] for row in rows(question)] == [number % 150 for number in range(300)]
    assert [[len(each["RecordIdentifiersValueAsString"]) for each in asked] for asked in runtime.asked] == [[100, 100], [50, 50]]
    assert runtime.asked[0][0]["FeatureNames"] == ["as_of", "balance", "segment"]


def test_what_is_put_off_is_asked_for_again(runtime: Runtime) -> None:
    runtime.put("c2", ACCOUNTS | {"balance": "7"})
    runtime.deferred = TRIES - 1
    body = [KEYED, KEYED | {"customer": "c2"}]

    assert [row["balance"] for row in rows(read(runtime, body))] == [12.5, 7]
    assert len(runtime.asked) == 2
    runtime.deferred = TRIES
    runtime.put("c3")
    runtime.put("c4")
    refused = refusal(runtime, [KEYED | {"customer": f"c{number}"} for number in range(1, 6)])
    assert refused == (503, "feature group accounts: the store put the question off: try again, or send the columns in the request")


def test_a_record_without_a_value_or_none_at_all_is_null_where_that_is_accepted(runtime: Runtime) -> None:
    runtime.put("c2", {"as_of": TODAY, "segment": "silver"}, ACTIVITY)
    runtime.records["scores-activity", "c3"] = ACTIVITY
    question = read(runtime, [{"age": 1, "customer": name} for name in ("c2", "c3")])

    assert str(rows(question)[0]["balance"]) == str(rows(question)[1]["balance"]) == "nan"
    assert [row["segment"] == 1 for row in rows(question)] == [True, False]
    assert question.looked_up[1]["accounts"].event_time is None
    assert question.looked_up[1]["accounts"].values == {"balance": None, "segment": None}


def test_a_record_that_is_too_old_counts_as_none() -> None:
    runtime = Runtime()
    for name, time in {"just": "2026-10-31T12:00:00Z", "old": "2026-10-31T11:59:59Z"}.items():
        runtime.put(name, ACCOUNTS | {"as_of": time})
    question = read(runtime, [{"age": 1, "customer": name} for name in ("just", "old")])

    assert [each["accounts"].event_time for each in question.looked_up] == ["2026-10-31T12:00:00Z", None]
    assert [str(row["balance"]) for row in rows(question)] == ["12.5", "nan"]


@pytest.mark.parametrize("key", [None, "", "c9"])
def test_no_record_of_what_may_not_be_missing_is_that_rows_refusal(runtime: Runtime, key: str | None) -> None:
    shown = repr(key or "")
    reason = f"expected a record of feature group activity for {shown}, as visits may not be missing, found none"

    assert refusal(runtime, [KEYED, {"age": 1, "customer": key}]) == (422, f"row 2, column 'customer': {reason}")


def test_an_old_record_of_what_may_not_be_missing_says_how_old() -> None:
    runtime = Runtime()
    runtime.put("c1", ACCOUNTS | {"as_of": LONG_AGO})
    strict = DATA.model_copy(update={"columns": DATA.columns | {"balance": DATA.columns["visits"]}})
    store = OnlineStore(runtime, GROUPS)
    with pytest.raises(RequestError, match=f"as balance may not be missing, found one of {LONG_AGO}, older than 720 hours$"):
        Requests(strict, Lookups(LOOKUPS, strict, store)).json(json.dumps(KEYED).encode())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            {"age": 1},
            "row 1, column 'customer': expected a text of 1 to 1000 printable characters, or a whole number, or all columns of feature",
        ),
        (KEYED | {"balance": 1}, "row 1: expected all columns of feature group accounts (balance, segment) or none of them and 'customer'"),
        (
            KEYED | {"customer": 1.5},
            "row 1, column 'customer': expected a text of 1 to 1000 printable characters, or a whole number, found 1.5",
        ),
        (
            KEYED | {"customer": True},
            "row 1, column 'customer': expected a text of 1 to 1000 printable characters, or a whole number, found true",
        ),
        (KEYED | {"customer": "a\nb"}, "row 1, column 'customer': expected a text of 1 to 1000 printable characters"),
        (KEYED | {"customer": "x" * 1001}, "row 1, column 'customer': expected a text of 1 to 1000 printable characters"),
        (KEYED | {"customer": "\ud800"}, "row 1, column 'customer': expected a text of 1 to 1000 printable characters"),
        (KEYED | {"customer": {}}, "row 1, column 'customer': expected a text of 1 to 1000 printable characters"),
        (KEYED | {"age": "x"}, "row 1, column 'age': expected an integer between 0 and 120, found 'x'"),
        (KEYED | {"more": 1}, "row 1, column 'more': expected no such column"),
        ([1], "row 1: expected 6 values"),
    ],
)
def test_what_is_wrong_is_said(runtime: Runtime, row: object, reason: str) -> None:
    status, message = refusal(runtime, {"instances": [row]})

    assert (status, message[: len(reason)]) == (422, reason)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("customer,age\n", 422, "expected at least one row after the header, found none"),
        ("customer,age\nc1\n", 422, "row 1: expected 2 cells (customer, age), found 1"),
        ("customer,age,age\nc1,1,1\n", 422, "header: expected column 'age' once, found it 2 times"),
        ("customer,age\nc1,x\n", 422, "row 1, column 'age': expected an integer between 0 and 120, found 'x'"),
        ("customer,age,more\nc1,1,1\n", 422, "row 1, column 'more': expected no such column"),
        ('customer,age\nc1,"1"2\n', 400, "the body is not CSV: "),
        ("age\n1\n", 422, "row 1: expected 6 cells (age, balance, segment, visits, insured, note), found 1"),
        ("c1,40", 422, "row 1: expected 6 cells"),
    ],
)
def test_what_is_wrong_with_csv_is_said(runtime: Runtime, body: str, status: int, reason: str) -> None:
    refused = refusal(runtime, body, CSV)

    assert (refused[0], refused[1][: len(reason)]) == (status, reason)


def test_a_key_given_twice_is_refused(runtime: Runtime) -> None:
    assert refusal(runtime, '{"age": 1, "customer": "c1", "customer": "c2"}') == (
        400,
        "row 1, column 'customer': expected one value, found several",
    )


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            {"visits": "1001"},
            "column 'visits': expected an integer between 0 and 1000, found '1001' in the record of feature group activity",
        ),
        ({"visits": "x"}, "column 'visits': expected an integer between 0 and 1000, found 'x' in the record of feature group activity"),
        ({}, "column 'visits': expected an integer between 0 and 1000, found nothing in the record of feature group activity for 'c1'"),
        ({"visits": "1", "insured": "true"}, "column 'insured': expected true or false, in CSV 'yes' or 'no'"),
    ],
)
def test_a_record_that_breaks_the_contract_is_refused(record: Json, reason: str) -> None:
    runtime = Runtime()
    runtime.put("c1", ACCOUNTS, {"happened": TODAY} | record)

    assert refusal(runtime, KEYED)[1].startswith(f"row 1, {reason}")


def test_a_store_that_does_not_answer_is_a_reason_and_no_answer(runtime: Runtime) -> None:
    again = "try again, or send the columns in the request"
    runtime.failures = [UNREACHABLE, THROTTLED]

    assert refusal(runtime, KEYED) == (503, f"feature group accounts, activity: ThrottlingException: {again}")
    assert refusal(runtime, KEYED) == (503, f"feature group accounts, activity: ConnectTimeoutError: {again}")
    assert rows(read(runtime, KEYED))
    runtime.errors["c1"] = "AccessDenied"
    assert refusal(runtime, KEYED) == (503, f"feature group accounts: AccessDenied: {again}")
    columns = "balance, segment, visits, insured, note"
    assert refusal(None, KEYED) == (503, f"this server was given no feature store (FEATURES is not set): send {columns} in the request")


def test_a_question_about_too_many_is_refused() -> None:
    many = [{"age": 1, "customer": number} for number in range(MOST + 1)]

    assert refusal(Runtime(), many) == (413, f"expected at most {MOST} records to look up in feature group accounts, found {MOST + 1}")


@pytest.fixture
def model(runtime: Runtime) -> Invocations:
    return invocations(runtime)


def test_the_answer_says_what_was_looked_up(model: Invocations) -> None:
    fresh = json.loads(model.reply(JSON, json.dumps([KEYED, WHOLE]).encode()).body)["predictions"]
    lines = model.reply(LINES, json.dumps(KEYED).encode())

    assert [each["score"] for each in fresh] == [fresh[1]["score"]] * 2
    assert fresh[0]["features"] == EVERYTHING
    assert "features" not in fresh[1]
    assert json.loads(lines.body) == fresh[0]


def test_an_answer_that_has_no_room_for_it_is_not_given(model: Invocations) -> None:
    body, whole = b"customer,age\nc1,40\n", b"40,12.5,gold,3,yes,hello"

    assert json.loads(model.reply(CSV, body).body)["predictions"][0]["features"] == EVERYTHING
    assert model.reply(CSV, body, "text/csv, application/jsonlines;q=0.5").content_type == LINES
    refused = model.reply(CSV, body, CSV)
    assert (refused.status, b"which what is looked up is said in" in refused.body) == (406, True)
    assert model.reply(CSV, whole).content_type == CSV


def test_golden_requests_need_no_store() -> None:
    recorded = golden.record(SPEC, invocations(None))
    runtime = Runtime(failures=[UNREACHABLE])

    golden.replay(recorded, invocations(runtime))
    assert runtime.asked == []


def test_the_document_has_both_kinds_of_rows(model: Invocations) -> None:
    operation = openapi.invocations(SPEC, None)["post"]
    *_, record, _ = operation["requestBody"]["content"][JSON]["schema"]["oneOf"]
    answer = operation["responses"]["200"]["content"][JSON]["schema"]["oneOf"][0]["properties"]["predictions"]["items"]
    (prediction,) = json.loads(model.reply(JSON, json.dumps(KEYED).encode()).body)["predictions"]

    assert record["required"] == ["age"]
    assert {"customer", "balance", "visits"} <= set(record["properties"])
    assert record["allOf"][0]["oneOf"] == [
        {"required": ["balance", "segment"]},
        {"required": ["customer"], "properties": {"balance": False, "segment": False}},
    ]
    assert not list(departures(prediction["features"], answer["properties"]["features"]))
    assert "features" not in answer["required"]
    assert "503" in operation["responses"]


def test_others_are_answered_while_one_waits(runtime: Runtime) -> None:
    """The server's own thread goes on: what waits for the store holds up neither health checks nor another row's question."""
    both = threading.Barrier(2, timeout=10)

    class Slow(Runtime):
        def batch_get_record(self, **asked: Any) -> dict[str, Any]:
            both.wait()
            return runtime.batch_get_record(**asked)

    model = invocations(Slow())
    app = application(SPEC, model, ScoreLog(model.version, seconds=SCORE_LOG_SECONDS))
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(call(app, "POST", "/invocations", json.dumps(KEYED).encode()).status_code))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200, 200]


@given(
    accounts=st.fixed_dictionaries(
        {}, optional={"balance": st.floats(-1e6, 1e6).map(repr), "segment": st.sampled_from(["gold", "silver"])}
    ),
    visits=st.integers(0, 1000),
    insured=st.sampled_from(["yes", "no"]),
)
def test_what_is_looked_up_reads_as_the_same_cells_do_in_csv(accounts: dict[str, str], visits: int, insured: str) -> None:
    runtime = Runtime()
    runtime.put("c1", {"as_of": TODAY} | accounts, {"happened": TODAY, "visits": str(visits), "insured": insured})
    line = f"40,{accounts.get('balance', '')},{accounts.get('segment', '')},{visits},{insured},"

    assert repr(rows(read(runtime, KEYED))) == repr(rows(read(None, line, CSV)))


junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.just("c1")
cells = st.dictionaries(st.sampled_from([*DATA.columns, "customer", "comment", "more"]), junk, max_size=8).map(lambda cells: KEYED | cells)
some = st.sets(st.sampled_from([*DATA.columns, "customer"])).map(lambda names: {name: (WHOLE | KEYED)[name] for name in names})


@given(rows=st.lists(cells | some, min_size=1, max_size=4), kind=st.sampled_from([JSON, LINES]))
def test_whatever_rows_come_are_answered_or_refused(rows: list[Json], kind: str) -> None:
    runtime = Runtime()
    runtime.put("c1")
    body = json.dumps(rows) if kind == JSON else "\n".join(map(json.dumps, rows))

    assert invocations(runtime).reply(kind, body.encode()).status in {200, 400, 422}


@given(
    header=st.lists(st.sampled_from([*DATA.columns, "customer", "comment", "more"]), max_size=8),
    lines=st.lists(st.text(max_size=20), max_size=3),
)
def test_whatever_csv_comes_is_answered_or_refused(header: list[str], lines: list[str]) -> None:
    runtime = Runtime()
    runtime.put("c1")
    body = "\n".join([",".join(header), *lines])

    assert invocations(runtime).reply(CSV, body.encode("utf-8", "replace")).status in {200, 400, 422}


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"FEATURES": "{"}, "FEATURES: expected the model's feature groups in JSON: "),
        ({"FEATURES": '{"accounts": {"identifier": 1}}'}, "FEATURES: expected the model's feature groups in JSON: "),
        (
            {"FEATURES": '{"accounts": {"feature_group_name": "a", "identifier": "i", "event_time": "t"}}'},
            "FEATURES lacks the feature group activity",
        ),
    ],
)
def test_a_wrong_description_of_the_groups_ends_the_start(environ: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        OnlineStore.of(environ, list(LOOKUPS))


def test_a_group_without_an_online_store_cannot_be_looked_up() -> None:
    about = {"feature_group_name": "a", "identifier": "i", "event_time": "t", "online": False}

    with pytest.raises(ValueError, match=r"^feature group accounts has no online store"):
        OnlineStore.of({"FEATURES": json.dumps({"accounts": about})}, ["accounts"])
    assert OnlineStore.of({}, ["accounts"]) is None
    assert OnlineStore.of({"FEATURES": "{"}, []) is None
