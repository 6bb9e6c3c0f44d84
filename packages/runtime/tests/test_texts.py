"""Free text, from a file's cells to what feature code sees and a served model's reasons; as a number it is its length."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bodies
import numpy as np
import pytest
from container import MODEL, job, put_rows
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from paved_runtime import artifact, behaviour, contract, golden, openapi, quality, rules, spec, tasks
from paved_runtime.csv_requests import CsvRequests
from paved_runtime.evaluate import evaluate
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import CSV, JSON, RequestError
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.bodies import Body
from paved_runtime.monitoring.request_log import Exchange, Reader
from paved_runtime.prepare import prepare
from paved_runtime.requests import Question, Requests
from paved_runtime.spec import Column, ModelSpec, Text
from paved_runtime.table import Examples, Table
from paved_runtime.train import train

LONGEST = 40
WHOLE = spec.load(MODEL)
COLUMNS: dict[str, Column] = {
    **WHOLE.data.columns,
    "education": Text(type="text", maximum_length=LONGEST),
    "poutcome": Text(type="text", maximum_length=LONGEST, missing=0.95),
}
GATES = WHOLE.gates.model_copy(update={"behaviour": spec.Behaviour(), "slices": None, "fairness": None})
SPEC = WHOLE.model_copy(update={"data": WHOLE.data.model_copy(update={"columns": COLUMNS}), "gates": GATES})
REQUESTS, CSV_REQUESTS = Requests(SPEC.data), CsvRequests(SPEC.data)
ROW: dict[str, Any] = bodies.ROW | {"education": 'she said: "two, or three"', "poutcome": "für 12:30"}
INSTANCES = [ROW, ROW | {"education": "none"}, ROW | {"poutcome": None}, ROW | {"education": "a\nb", "poutcome": "x" * LONGEST}]

texts = st.text(min_size=0, max_size=LONGEST + 2) | st.sampled_from(
    ["a:b", '":', "\\u003a", "a" * LONGEST, "b" * (LONGEST + 1), "\ud800", "", "1", "1.0"]
)
values = texts | st.none() | st.booleans() | st.integers(0, 130)


@given(texts, st.booleans())
def test_one_cell_and_many_are_judged_alike(cell: str, may_be_missing: bool) -> None:
    rule: rules.Rule = rules.TextRule(LONGEST)
    rule = rules.OptionalRule(rule) if may_be_missing else rule
    good = (may_be_missing and not cell) or (1 <= len(cell) <= LONGEST and not any("\ud800" <= letter <= "\udfff" for letter in cell))

    assert rules.accepts(rule, cell) == good
    if good:
        assert rule.parse_all([cell]).tolist() == pytest.approx([float(len(cell)) if cell else math.nan], nan_ok=True)
    else:
        with pytest.raises(rules.RuleError):
            rule.parse_all(["good", cell])


def outcome(read: Callable[[bytes], Question | Table], body: bytes) -> list[Any] | str:
    try:
        answer = read(body)
    except RequestError as error:
        return f"{error.status} {error}"
    table = answer.table if isinstance(answer, Question) else answer
    assert table is not None
    return [list(map(repr, table.values.ravel().tolist())), {name: column.tolist() for name, column in table.texts.items()}]


edits = st.dictionaries(st.sampled_from(["education", "poutcome", "age", "duration"]), values, max_size=3)


@given(st.lists(edits, min_size=1, max_size=3), st.booleans())
@example([{"education": "\ud800"}], False)
@example([{"education": "a:b"}, {"poutcome": '{"age": 3}'}], False)
def test_the_fast_reading_agrees_with_the_plain_one(changes: list[dict[str, Any]], as_lists: bool) -> None:
    rows: list[Any] = [ROW | change for change in changes]
    rows = [[row[name] for name in COLUMNS] for row in rows] if as_lists else rows
    for body in (json.dumps({"instances": rows}), json.dumps(rows), json.dumps({"instances": rows}, ensure_ascii=False)):
        sent = body.encode(errors="surrogatepass")
        assert outcome(REQUESTS.json, sent) == outcome(REQUESTS.plain, sent)
    lines = "\n".join(map(json.dumps, rows)).encode()
    assert outcome(REQUESTS.lines, lines) == outcome(REQUESTS.plain_lines, lines)


def test_a_key_that_is_given_twice_is_found_whatever_texts_say() -> None:
    """Each colon of a text counts as a key's would: a body with one is read plainly."""
    body = json.dumps(ROW | {"education": "a:b"}).replace("a:b", "a\\u003ab").replace("{", '{"age": 20, ', 1).encode()

    assert str(outcome(REQUESTS.json, body)).startswith("400 row 1, column 'age': expected one value")


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=LONGEST), st.none() | st.just("x")),
        min_size=1,
        max_size=4,
    )
)
def test_csv_and_json_read_the_same(drawn: list[tuple[str, str | None]]) -> None:
    instances = [ROW | {"education": one, "poutcome": other} for one, other in drawn]

    assert outcome(CSV_REQUESTS.table, lines_of(instances)) == outcome(REQUESTS.json, json.dumps(instances).encode())


def lines_of(instances: list[dict[str, Any]]) -> bytes:
    quoted = [['"' + ("" if row[name] is None else str(row[name])).replace('"', '""') + '"' for name in COLUMNS] for row in instances]
    return "".join(",".join(row) + "\n" for row in quoted).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"education": ""}, "column 'education': expected a text of 1 to 40 characters, found ''"),
        ({"education": "x" * 41}, "column 'education': expected a text of 1 to 40 characters, found 'xxx"),
        ({"education": 3}, "column 'education': expected a text of 1 to 40 characters, found 3"),
        ({"education": None}, "column 'education': expected a text of 1 to 40 characters, found null"),
        ({"poutcome": ""}, "column 'poutcome': expected a text of 1 to 40 characters, null or an empty cell, found ''"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        REQUESTS.json(json.dumps({"instances": [ROW, ROW | change]}).encode())
    assert str(caught.value).startswith(f"row 2, {message}")


@pytest.fixture(scope="module")
def root(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ML_ROOT in which a model was trained and evaluated on texts, some of which have commas, quotes and lines."""
    root = tmp_path_factory.mktemp("texts")
    with data.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    said = {"unknown": "", "success": 'yes, "at last"', "failure": "no\nnever", "other": "für 12:30"}
    put_rows(root, [row | {"poutcome": said[row["poutcome"]], "education": f"has been to {row['education']} school"} for row in rows])
    for step in (prepare, train, evaluate):
        step(job(root, SPEC))
    return root


@pytest.fixture(scope="module")
def model(root: Path) -> Invocations:
    return Invocations.load(SPEC, root / "model")


def test_feature_code_sees_the_texts_of_its_rows(root: Path) -> None:
    read = contract.inspect(root / "input/data/data", SPEC.data).examples
    parts = [contract.read(root / "work" / part, SPEC.data) for part in ("train", "holdout")]

    for name in ("education", "poutcome"):
        again = [text for part in parts for text in part.table.texts[name].tolist()]
        assert sorted(again) == sorted(read.table.texts[name].tolist())
        for table in (read.table, parts[0].table, parts[1].take(np.arange(9)).table):
            lengths = [len(text) if text else math.nan for text in table.texts[name].tolist()]
            assert np.array_equal(table[name], lengths, equal_nan=True)


def test_json_and_csv_are_scored_alike_and_golden_requests_have_texts(model: Invocations, root: Path) -> None:
    answer = json.loads(model.reply(JSON, json.dumps({"instances": INSTANCES}).encode()).body)
    scores = [prediction["score"] for prediction in answer["predictions"]]
    recorded = artifact.read_json(root / "model" / artifact.GOLDEN)
    drawn = recorded["requests"][-1]["body"]["instances"]

    assert [float(line) for line in model.reply(CSV, lines_of(INSTANCES)).body.split()] == pytest.approx(scores, abs=1e-7)
    golden.replay(recorded, model)
    assert len({row["education"] for row in drawn}) > 30
    assert None in {row["poutcome"] for row in drawn}
    assert {len(row["education"]) for row in recorded["requests"][2]["body"]["instances"]} == {1, LONGEST}


def test_reasons_and_parity_have_the_text_itself(model: Invocations, root: Path) -> None:
    answer = json.loads(model.reply(JSON, json.dumps({"instances": INSTANCES, "explain": True}).encode()).body)
    parity = artifact.read_json(root / "output/data/parity.json")

    for row, prediction in zip(INSTANCES, answer["predictions"], strict=True):
        assert {reason["column"]: reason["value"] for reason in prediction["reasons"]} == row
    again = json.loads(model.reply(JSON, json.dumps({"instances": parity["instances"]}).encode()).body)
    assert [prediction["score"] for prediction in again["predictions"]] == pytest.approx(parity["scores"], abs=1e-6)
    assert {row["education"] for row in parity["instances"]} > {"has been to primary school"}


def test_no_text_of_the_data_set_travels_with_the_model(root: Path) -> None:
    for file in (root / "model").iterdir():
        assert b"has been to" not in file.read_bytes()


def test_rows_that_differ_in_a_text_alone_are_no_duplicates() -> None:
    cells = {"note": ["ab", "ba", "ab", "ba"], "size": ["1", "1", "1", "1"]}
    data = WHOLE.data.model_copy(
        update={"columns": {"note": Text(type="text", maximum_length=9), "size": spec.Integer(type="integer", minimum=0, maximum=2)}}
    )
    table, _ = contract.encode(cells, rules.rules(data))
    examples = Examples(table, np.zeros(4), np.arange(4, dtype=np.uint64))

    assert quality.repeats(examples).tolist() == [2, 3]


def test_behaviour_keeps_each_rows_text(root: Path) -> None:
    table = contract.read(root / "work/holdout", SPEC.data).take(np.arange(5)).table
    seen: list[tuple[str, float]] = []

    def score(asked: Table) -> Any:
        seen.extend(zip(asked.texts["education"].tolist(), asked["education"].tolist(), strict=True))
        return np.zeros(len(asked))

    declared = spec.Behaviour.model_validate(
        {
            "monotone": {"age": "increasing"},
            "minimum_function": [{"name": "more", "higher": {"age": 40}, "lower": {"age": 30}}],
        }
    )
    list(behaviour.examine(table, SPEC.data, declared, score))

    assert len(seen) > 2 * len(table)
    assert all(len(text) == length for text, length in seen)


def test_the_baseline_counts_characters(root: Path) -> None:
    scale = Baseline.of(artifact.read_json(root / "model" / artifact.BASELINE), SPEC.data).columns["education"].scale

    assert scale.kind == "text"
    assert scale.labels == [f"{length} characters" for length in (26, 27, 28)] + ["other"]


def test_the_monitor_counts_lengths() -> None:
    answer = json.dumps({"predictions": [{"score": 0.5}] * len(INSTANCES)})
    exchange = Exchange(Body(json.dumps({"instances": INSTANCES}), "JSON", JSON), Body(answer, "JSON", JSON))
    csv_exchange = Exchange(Body(lines_of(INSTANCES[:3]).decode(), "CSV", CSV), Body("0.5\n0.5\n0.5\n", "CSV", CSV))
    readings = list(Reader(tasks.of(SPEC.data)).read([exchange, csv_exchange]))

    assert [reading.failed for reading in readings] == [0, 0]
    assert sorted(len(reading.table) for reading in readings) == [3, 4]
    for reading in readings:
        expected = [len(row["education"]) for row in INSTANCES[: len(reading.table)]]
        assert reading.table["education"].tolist() == expected


def test_the_schema_says_how_long_it_may_be() -> None:
    content = openapi.invocations(SPEC, None)["post"]["requestBody"]["content"][JSON]["schema"]["oneOf"]
    properties = next(schema for schema in content if "age" in schema.get("properties", ()))["properties"]

    assert properties["education"] == {"type": "string", "minLength": 1, "maxLength": LONGEST}


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ({"slices": {"by": {"education": []}}}, "gates.slices.by: 'education' is a text, which has no groups: name another column"),
        (
            {"behaviour": {"monotone": {"education": "increasing"}}},
            "gates.behaviour.monotone: 'education' is a text, which has no more or less",
        ),
        (
            {"behaviour": {"invariance": [{"name": "any", "column": "education", "maximum_change": 0.1}]}},
            "gates.behaviour.invariance: 'education' is a text, whose values nobody can try",
        ),
        (
            {"behaviour": {"minimum_function": [{"name": "any", "higher": {"education": "a"}, "lower": {"age": 30}}]}},
            "gates.behaviour.minimum_function: 'education' does not accept 'a'",
        ),
    ],
)
def test_what_gates_may_not_ask_of_a_text(gates: dict[str, Any], message: str) -> None:
    content = SPEC.model_dump()
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(content | {"gates": content["gates"] | gates})
    assert message in str(caught.value)


def test_a_model_of_texts_alone_has_bad_requests_all_the_same() -> None:
    only = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"columns": {"note": Text(type="text", maximum_length=9)}})})
    reads: dict[str, Callable[[bytes], object]] = {JSON: Requests(only.data).json, CSV: CsvRequests(only.data).table}

    for bad in golden._bad_requests(only, {"note": "good"}):
        if bad["content_type"] in reads:
            with pytest.raises(RequestError) as caught:
                reads[bad["content_type"]](bad["body"].encode())
            assert caught.value.status == bad["expect"], bad["body"][:80]
