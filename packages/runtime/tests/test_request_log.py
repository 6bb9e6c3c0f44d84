"""What was captured is read the same one by one and by the thousand, in every encoding, and what is broken is counted, not fatal."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from capture import csv_line, json_line, line
from fakes import BUCKET, END, S3
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import tasks
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.monitoring import request_log, store
from paved_runtime.monitoring.labels import Joined, Labels
from paved_runtime.monitoring.request_log import AnswerEntry, Entry, Reader, Reading
from paved_runtime.monitoring.window import Window
from paved_runtime.rules import OutcomeRule
from paved_runtime.spec import Category, Column, Data, Integer, Number

COLUMNS: dict[str, Column] = {
    "age": Integer(type="integer", minimum=0, maximum=120),
    "income": Number(type="number", minimum=0, maximum=1e6, missing=1.0),
    "job": Category(type="category", values=("a", 'b, "quoted"', "ü"), missing=1.0),
}
DATA = Data(target="y", positive="yes", negative="no", minimum_rows=1, holdout=0.2, columns=COLUMNS)
READER, DECODER = Reader(tasks.of(DATA)), msgspec.json.Decoder(Entry)
GOOD = {"age": 30, "income": 1.5, "job": "a"}


def read(text: str) -> Reading:
    """Everything in some lines, as one reading; its rows sorted, because their order says nothing."""
    lines, malformed = request_log.lines(text.encode(), DECODER)
    assert malformed == 0
    return whole(list(READER.read([entry.captureData for entry in lines])))


def whole(readings: Sequence[Reading]) -> Reading:
    values = np.concatenate([reading.table.values for reading in readings])
    order = np.lexsort(np.nan_to_num(values, nan=-1).T)
    table = type(readings[0].table)(readings[0].table.positions, values[order])
    numbers = [sum(getattr(reading, name) for reading in readings) for name in ("requests", "failed", "unreadable")]
    return Reading(table, np.sort(np.concatenate([reading.scores for reading in readings])), *numbers)


def same(reading: Reading, other: Reading) -> bool:
    alike = np.array_equal(reading.table.values, other.table.values, equal_nan=True) and np.array_equal(reading.scores, other.scores)
    return alike and (reading.requests, reading.failed, reading.unreadable) == (other.requests, other.failed, other.unreadable)


cells: dict[str, st.SearchStrategy[Any]] = {
    "age": st.integers(0, 120),
    "income": st.none() | st.floats(0, 1e6),
    "job": st.none() | st.sampled_from(["a", 'b, "quoted"', "ü"]),
}
rows = st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=3)
wrong = st.sampled_from(
    [
        line('{"age": 30}', None),
        line('{"age": -1, "income": 1, "job": "a"}', '{"error": "no"}'),
        line('{"age": 1, "income": "x", "job": "z"}', None),
        line('{"instances": 7}', None),
        line("[", None),
        line('{"age": 1', '{"predictions": [{"score": 0.5}]}'),
        line('{"describe": true}', '{"model": "m"}'),
        line("1,2\n", None, encoding="CSV"),
        line("30,,z\n", "0.5\n", encoding="CSV"),
        line("é", "?", encoding="BASE64").replace("w6k=", "%%%"),
        line("[" * 5000, None),
        json_line([GOOD, GOOD], [0.1]),
        line(json.dumps(GOOD), '{"predictions": [{"score": NaN}]}'),
        line("30,1,a\n", "nan\n", encoding="CSV"),
    ]
)


@given(st.lists(rows, max_size=6), st.lists(wrong, max_size=4), st.randoms(use_true_random=False))
def test_many_at_once_are_read_as_each_alone(requests: list[list[dict[str, Any]]], others: list[str], draw: Random) -> None:
    lines = [json_line(rows, [0.25] * len(rows)) for rows in requests] + others
    if not lines:
        return
    draw.shuffle(lines)

    assert same(read("".join(lines)), whole([read(text) for text in lines]))


@given(rows, st.sampled_from(["JSON", "CSV", "BASE64", "CSV in BASE64"]))
def test_every_encoding_says_the_same(instances: list[dict[str, Any]], encoding: str) -> None:
    scores = [number / 8 for number in range(len(instances))]
    if "CSV" in encoding:
        text = io.StringIO()
        csv.DictWriter(text, list(COLUMNS), lineterminator="\n").writerows(instances)
        reading = read(line(text.getvalue(), "".join(f"{score!r}\n" for score in scores), encoding=encoding.removeprefix("CSV in ")))
    else:
        reading = read(json_line(instances, scores, encoding=encoding))

    assert same(reading, read(json_line(instances, scores)))
    assert (len(reading.table), reading.requests, reading.failed) == (len(instances), 1, 0)
    assert reading.scores.tolist() == scores


JSON_ANSWER, CSV_ANSWER, LINES_ANSWER = '{"predictions": [{"score": 0.5}]}', "0.5\n", '{"score":0.5}\n'


def captured(request: str, kind: str, answer: str, answered: str, encoding: str = "BASE64") -> str:
    """A request as it is captured where the endpoint lists no content type but what `encoding` says of both sides."""

    def part(data: str, content_type: str) -> dict[str, str]:
        written = base64.b64encode(data.encode()).decode() if encoding == "BASE64" else data
        return {"observedContentType": content_type, "data": written, "encoding": encoding}

    sides = {"endpointInput": part(request, kind), "endpointOutput": part(answer, answered)}
    return json.dumps({"captureData": sides, "eventMetadata": {"inferenceTime": "2026-11-21T11:00:00Z"}}) + "\n"


@pytest.mark.parametrize("encoding", ["BASE64", "JSON"])
@pytest.mark.parametrize(("answer", "answered"), [(JSON_ANSWER, JSON), (LINES_ANSWER, "application/x-ndjson")])
@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (json.dumps(GOOD), JSON),
        (json.dumps([GOOD]), "application/json; charset=utf8"),
        (json.dumps([list(GOOD.values())]), JSON),
        (json.dumps({"instances": [list(GOOD.values())]}), JSON),
        (json.dumps(GOOD) + "\n\n", LINES),
        (json.dumps(list(GOOD.values())), "application/x-jsonlines"),
    ],
)
def test_every_form_of_json_is_read(request_: str, kind: str, answer: str, answered: str, encoding: str) -> None:
    assert same(read(captured(request_, kind, answer, answered, encoding)), read(json_line([GOOD], [0.5])))


@pytest.mark.parametrize(("answer", "answered"), [(JSON_ANSWER, JSON), (LINES_ANSWER, LINES), (CSV_ANSWER, CSV)])
@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("30,1.5,a\r\n\r\n", "text/csv; charset=utf-8"),
        ('\ufeffjob,age,income\n"a",30,1.5\n', "text/csv;header=present"),
        ("job,y,age,income\na,yes,30,1.5\n", "application/csv"),
    ],
)
def test_every_form_of_csv_is_read(request_: str, kind: str, answer: str, answered: str) -> None:
    assert same(read(captured(request_, kind, answer, answered)), read(json_line([GOOD], [0.5])))


@pytest.mark.parametrize("score", ["nan", "inf", "-inf"])
def test_a_score_that_is_no_number_is_none_in_every_format(score: str) -> None:
    name = score.replace("nan", "NaN").replace("inf", "Infinity")
    answers = [(score, CSV), (f'{{"predictions": [{{"score": {name}}}]}}', JSON), (f'{{"score": {name}}}', LINES)]
    readings = [read(captured(json.dumps(GOOD), JSON, answer, kind)) for answer, kind in answers]

    assert [(len(reading.table), len(reading.scores), reading.failed) for reading in readings] == [(1, 0, 1)] * 3
    assert read(csv_line([GOOD], [float(score)])).failed == 1


def test_what_breaks_the_contract_is_infinite_and_the_rest_is_read() -> None:
    reading = read(line('{"instances": [{"age": 30, "income": -1, "job": "a"}, {"age": 40, "job": null}, 7]}', None))

    assert reading.table["age"].tolist() == [40, 30, np.inf]
    assert reading.table["income"].tolist() == [np.inf] * 3
    assert np.array_equal(reading.table["job"], [np.nan, 0, np.inf], equal_nan=True)
    assert (reading.requests, reading.failed, reading.unreadable) == (1, 1, 0)


@pytest.mark.parametrize(
    ("text", "rows", "failed", "unreadable"),
    [
        (line('{"describe": true}', '{"model": "m"}'), 0, 0, 0),
        (line("[]", None), 0, 1, 1),
        (line("\ufeff{", None), 0, 1, 1),
        (line("30,1,a\n", None, encoding="CSV"), 1, 1, 0),
        (json_line([GOOD] * 3, [0.5] * 3), 3, 0, 0),
        (csv_line([GOOD] * 3, [0.5] * 3), 3, 0, 0),
        (json_line([{**GOOD, "y": "yes", "more": [1]}], [0.5]), 1, 0, 0),
        (line(json.dumps(GOOD), '{"predictions": [{"score": 0.5, "reasons": []}], "base": 1}'), 1, 0, 0),
    ],
)
def test_requests_are_counted(text: str, rows: int, failed: int, unreadable: int) -> None:
    reading = read(text)

    assert (len(reading.table), reading.failed, reading.unreadable) == (rows, failed, unreadable)
    assert len(reading.scores) == (0 if failed else rows)


def test_lines_that_are_none_are_counted() -> None:
    good = json_line([GOOD], [0.5])
    text = good + "garbage\n" + good[:50] + "\n\n" + '{"captureData": {}}\n' + good.rstrip("\n")
    entries, malformed = request_log.lines(text.encode() + b"\n\xff\xfe\n", DECODER)

    assert (len(entries), malformed) == (2, 4)


def test_a_window_has_its_start_and_not_its_end() -> None:
    window = Window(END - timedelta(hours=2), END)

    assert [window.holds(f"2026-11-21T{time}") for time in ("09:59:59Z", "10:00:00Z", "11:59:59.999Z", "12:00:00Z")] == [
        False,
        True,
        True,
        False,
    ]
    assert [hour.hour for hour in window.hours] == [10, 11, 12, 13]


@given(st.lists(st.binary(max_size=20).map(lambda text: text.replace(b"\r", b"")), max_size=12), st.integers(1, 9))
def test_blocks_are_whole_lines_whatever_the_pieces(texts: list[bytes], size: int) -> None:
    s3 = S3()
    for number, text in enumerate(texts):
        s3.put(f"p/{number:02}", text)
    bucket = store.Store(s3, BUCKET, piece=size)
    blocks = list(bucket.blocks(bucket.objects("p/")))

    assert b"".join(blocks) == b"".join(texts)
    ends = np.cumsum([len(text) for text in texts]).tolist()
    at = 0
    for block in blocks:
        at += len(block)
        assert block.endswith(b"\n") or at in ends


def test_a_line_without_an_end_is_not_kept() -> None:
    s3 = S3()
    s3.put("p/1", b"a" * 8 + b"b" * 8 + b"c" * 8 + b"d\nfine\n")
    bucket = store.Store(s3, BUCKET, piece=8, longest=10)

    blocks = list(bucket.blocks(bucket.objects("p/")))
    assert blocks == [b"a" * 8 + b"b" * 8 + b"d\nfine\n"]


@given(st.lists(st.text(max_size=8), max_size=30), st.integers(1, 6))
def test_every_object_falls_to_one_machine(keys: list[str], machines: int) -> None:
    shards = [store.Shard(place, machines) for place in range(machines)]

    assert all(sum(shard.has(key) for shard in shards) == 1 for key in keys)


def joined(labels: Labels, *texts: str) -> Joined:
    entries, _ = request_log.lines("".join(texts).encode(), msgspec.json.Decoder(AnswerEntry))
    rows = Joined(len(labels.known), labels.malformed)
    labels.join(entries, READER.answers, rows)
    return rows


OUTCOMES = OutcomeRule({"yes": 1.0, "no": 0.0}, "data.positive and data.negative")


def label_files(*files: str) -> Labels:
    return Labels.read([["inference_id,label", *file.split()] for file in files], OUTCOMES)


def test_labels_are_joined_by_the_inference_id() -> None:
    labels = label_files("one,yes many/0,no many/2,yes nobody,no")
    rows = joined(
        labels,
        json_line([GOOD], [0.7], name="one"),
        json_line([GOOD] * 3, [0.1, 0.2, 0.3], name="many"),
        json_line([GOOD], [0.9], name="other"),
    )

    assert {name: pair[1:] for name, pair in rows.pairs.items()} == {"one": (0.7, 1), "many/0": (0.1, 0), "many/2": (0.3, 1)}
    assert (rows.labels, rows.unknown, rows.malformed) == (4, 1, 0)
    known, scores = rows.rows
    assert (known.tolist(), scores.tolist()) == ([0, 1, 1], [0.1, 0.3, 0.7])


def test_a_later_label_takes_an_earlier_ones_place_and_mistakes_are_counted() -> None:
    labels = label_files("a,yes b,yes c,no", "a,no d,Yes c,no b,", "e,no f g,yes,1 ,yes")

    assert labels.known == {"a": 0, "b": 1, "c": 0, "e": 0}
    assert labels.malformed == 5
    assert Labels.read([["id,label", "a,yes"], []], OUTCOMES) == Labels({}, 3)
    assert Labels.read([["inference_id,label", '"a,yes' + "x" * 200_000]], OUTCOMES).malformed == 1


@pytest.mark.parametrize("label", ["Yes", "NO", "", " yes", "maybe"])
def test_no_other_text_stands_for_an_outcome(label: str) -> None:
    """However often it occurs."""
    lines = ["inference_id,label", "a,yes", *(f"{row},{label}" for row in "bcd")]
    assert Labels.read([lines], OUTCOMES) == Labels({"a": 1}, 3)


def test_of_a_row_scored_twice_the_later_score_counts() -> None:
    labels = label_files("a,yes")
    early, late = (json_line([GOOD], [score], name="a", at=END.replace(hour=hour)) for score, hour in ((0.9, 8), (0.1, 10)))

    assert joined(labels, early, late).pairs == joined(labels, late, early).pairs == {"a": ("2026-11-21T10:00:00Z", 0.1, 1)}


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-Infinity", "1e999"])
def test_a_score_that_is_no_number_is_a_failed_answer_in_every_encoding(number: str) -> None:
    answers = [(json.dumps(GOOD), f'{{"predictions": [{{"score": {number}}}]}}', "JSON"), ("30,1.5,a\n", f"{number}\n", "CSV")]
    for request, answer, encoding in answers:
        text = line(request, answer, encoding=encoding, name="a")
        reading = read(text)

        assert (len(reading.table), reading.failed, len(reading.scores)) == (1, 1, 0)
        assert joined(label_files("a,yes"), text).pairs == {}


def test_an_answer_without_scores_joins_nothing() -> None:
    assert joined(label_files("a,yes"), line("{}", None, name="a"), line("{}", '{"error": "no"}', name="a")).pairs == {}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_joins_merge_in_any_order(scored: list[tuple[str, int, bool]], shards: int, draw: Random) -> None:
    labels = Labels({name: float(name == "a") for name in "abc"})
    texts = [json_line([GOOD], [score / 4], name=name, at=END.replace(hour=6 + later)) for name, score, later in scored]
    once = joined(labels, *texts)
    draw.shuffle(texts)
    parts = [joined(labels, *texts[shard::shards]) for shard in range(shards)]
    for part in parts[1:]:
        parts[0].merge(Joined.of(json.loads(json.dumps(part.as_json()))))

    assert parts[0] == once
