"""What a model of each task answers is read back as it was, in every format, and counted as one number a row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import task_rows
from bodies import ROW
from container import MODEL
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import plugin, protocol, spec, tasks
from paved_runtime.explain import Contributions, Explainer
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Matrix

BINARY, CLASSES, NUMBERS = (spec.load(name) for name in (MODEL, *task_rows.MODELS.values()))
APPLICANT = {"income": 40_000, "debt": None, "years": 7, "region": "south"}
COLUMNS = len(CLASSES.column_names)
probabilities = st.floats(0, 1, width=32)
weights = st.lists(st.floats(0.125, 1, width=32), min_size=4, max_size=4)
answered: st.SearchStrategy[tuple[ModelSpec, list[Any]]] = st.one_of(
    st.tuples(st.just(BINARY), st.lists(probabilities, min_size=1, max_size=5)),
    st.tuples(st.just(NUMBERS), st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=5)),
    st.tuples(st.just(CLASSES), st.lists(weights, min_size=1, max_size=5)),
)


@dataclass
class Given:
    """What scores rows as was given, and shares the scores out into as much for each column as its place."""

    scores: Matrix

    def __call__(self, matrix: Matrix) -> Matrix:
        return self.scores[: len(matrix)]

    def contributions(self, matrix: Matrix, _: Any = None, /) -> Contributions:
        outcomes = self.scores.reshape(len(self.scores), -1).shape[1]
        return Contributions(np.arange(outcomes) / 8, np.tile(np.arange(COLUMNS, dtype=np.float32), (len(matrix), 1)))


def model(known: ModelSpec, scores: list[Any]) -> Invocations:
    """A model of this kind that answers rows with these scores."""
    fixed = Given(np.array(scores, dtype=np.float32))
    explainer = Explainer(fixed.contributions, "exact", 9)
    return Invocations(known, fixed, explainer, plugin.features(known.name), {}, "0" * 64)


def ask(known: ModelSpec, scores: list[Any], accept: str, **more: Any) -> Any:
    """The reply to as many rows as there are scores."""
    row = ROW if known is BINARY else APPLICANT
    body = json.dumps({"instances": [row] * len(scores), **more})
    reply = model(known, scores).reply(JSON, body.encode(), accept)
    assert (reply.status, reply.content_type) == (200, accept), reply.body
    return reply


@given(answered)
def test_json_is_read_as_it_was_scored(answer: tuple[ModelSpec, list[Any]]) -> None:
    known, scores = answer
    reply = ask(known, scores, JSON)
    read = protocol.scores(json.loads(reply.body))

    assert read == np.array(scores, dtype=np.float32).tolist()
    assert reply.scores == tasks.of(known.data).scalar(np.array(read)).tolist()


@given(answered)
def test_lines_of_json_are_the_same_objects(answer: tuple[ModelSpec, list[Any]]) -> None:
    known, scores = answer
    lines = [json.loads(line) for line in ask(known, scores, LINES).body.splitlines()]

    assert lines == json.loads(ask(known, scores, JSON).body)["predictions"]


@given(answered)
def test_csv_has_the_numbers_in_their_order(answer: tuple[ModelSpec, list[Any]]) -> None:
    known, scores = answer
    reply = ask(known, scores, CSV)
    cells = [[float(cell) for cell in line.split(",")] for line in reply.body.decode().splitlines()]

    assert cells == np.array(scores, dtype=np.float32).reshape(len(scores), -1).tolist()
    assert reply.scores == ask(known, scores, JSON).scores


@given(st.lists(weights, min_size=1, max_size=5))
def test_the_class_is_the_most_probable_one(scores: list[list[float]]) -> None:
    predictions = json.loads(ask(CLASSES, scores, JSON).body)["predictions"]

    for row, prediction in zip(scores, predictions, strict=True):
        assert list(prediction) == ["class", "scores"]
        assert list(prediction["scores"]) == list(CLASSES.data.classes)
        assert prediction["scores"][prediction["class"]] == max(row)
        assert CLASSES.data.classes.index(prediction["class"]) == int(np.argmax(row))


@pytest.mark.parametrize(("known", "scores"), [(NUMBERS, [12.5, -3.0]), (CLASSES, [[0.25, 0.5, 0.125, 0.125], [0.125, 0.125, 0.25, 0.5]])])
def test_reasons_stand_beside_the_same_answers(known: ModelSpec, scores: list[Any]) -> None:
    reply = ask(known, scores, JSON, explain=True)
    answer = json.loads(reply.body)
    reasons = protocol.reasons(answer)
    plain = [{name: value for name, value in each.items() if name != "reasons"} for each in answer["predictions"]]

    assert plain == json.loads(ask(known, scores, JSON).body)["predictions"]
    assert protocol.scores(answer) == scores
    assert reply.scores == ask(known, scores, JSON).scores
    assert reasons["contributions"] == [dict(zip(known.column_names, range(COLUMNS), strict=True))] * 2
    assert reasons["base"] == (dict(zip(CLASSES.data.classes, (0, 0.125, 0.25, 0.375), strict=True)) if known is CLASSES else 0)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"predictions": [{}]}, {"predictions": [{"score": None}]}, {"predictions": [{"scores": [0.5, 0.5]}]}, [], {"predictions": ["a"]}],
)
def test_an_answer_without_scores_is_none(wrong: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        protocol.scores(wrong)


@given(st.lists(weights, min_size=1, max_size=4), st.data())
def test_scores_lie_apart_by_what_each_number_does(scores: list[list[float]], data: st.DataObject) -> None:
    row, place = data.draw(st.integers(0, len(scores) - 1)), data.draw(st.integers(0, 3))
    other = [list(each) for each in scores]
    other[row][place] += 0.5

    assert max(protocol.apart(scores, scores)) == 0
    assert sorted(protocol.apart(scores, other)) == [0] * (4 * len(scores) - 1) + [0.5]


@pytest.mark.parametrize("others", [[0.5], [[0.5, 0.5], [0.5, 0.5, 0.0]], [[0.5, 0.5], 0.5]])
def test_scores_of_other_rows_or_classes_cannot_be_compared(others: list[Any]) -> None:
    with pytest.raises(ValueError, match="zip"):
        protocol.apart([[0.5, 0.5], [0.25, 0.75]], others)
