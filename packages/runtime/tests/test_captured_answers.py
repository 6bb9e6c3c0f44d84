"""Captured answers of every task, in every format and encoding, are read alike; what is no answer of the task is none."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from capture import Score, csv_line, json_line, prediction
from container import MODEL
from fakes import END
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import spec, tasks
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.monitoring import request_log
from paved_runtime.monitoring.answers import UNREADABLE, Answers
from paved_runtime.monitoring.bodies import Body
from paved_runtime.monitoring.labels import Joined, Labels
from paved_runtime.monitoring.request_log import AnswerEntry, Entry, Reader

TASKS = {name: tasks.of(spec.load(name).data) for name in (MODEL, "risk_grade", "claim_amount")}
CLASSES = TASKS["risk_grade"].data.classes
ROW = {"income": 40_000.0, "debt": None, "years": 3, "region": "north"}


def graded(*probabilities: float) -> Score:
    return dict(zip(CLASSES, probabilities, strict=True))


weights = st.lists(st.floats(0.001, 1), min_size=len(CLASSES), max_size=len(CLASSES))
SCORES: dict[str, st.SearchStrategy[Score]] = {
    MODEL: st.floats(0, 1),
    "risk_grade": weights.map(lambda each: graded(*(weight / sum(each) for weight in each))),
    "claim_amount": st.floats(-1e12, 1e12),
}
answered = st.sampled_from(list(SCORES)).flatmap(lambda name: st.tuples(st.just(name), st.lists(SCORES[name], max_size=4)))


def bodies(scores: Sequence[Score]) -> list[Body]:
    """An answer in each format, as it stands and in base64."""
    predictions = [prediction(score) for score in scores]
    numbers = [list(score.values()) if isinstance(score, dict) else [score] for score in scores]
    texts = {
        JSON: json.dumps({"predictions": predictions, "model_version": "0123456789ab"}),
        LINES: "".join(json.dumps(each) + "\n" for each in predictions),
        CSV: "".join(",".join(map(repr, row)) + "\n" for row in numbers),
    }
    plain = [Body(text, "CSV" if kind == CSV else "JSON", kind) for kind, text in texts.items()]
    return plain + [Body(base64.b64encode(body.data.encode()).decode(), "BASE64", body.observedContentType) for body in plain]


@given(answered)
def test_every_format_and_encoding_says_the_same(model_and_scores: tuple[str, list[Score]]) -> None:
    name, scores = model_and_scores
    task = TASKS[name]
    answers, shape = Answers(task), (len(scores),) if task.width is None else (len(scores), task.width)
    wanted = np.array([list(score.values()) if isinstance(score, dict) else score for score in scores]).reshape(shape)

    for body in bodies(scores):
        assert np.array_equal(answers.read(body), wanted)
    text = bodies(scores)[0].data
    assert np.array_equal(answers.together([text, text]), np.concatenate([wanted, wanted]))
    assert answers.none.shape == (0, *shape[1:])


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        (MODEL, ["1.0001", "-0.1", "nan", "0.5,0.5", "yes"]),
        ("risk_grade", ["0.5", "0.5,0.5", "0.2,0.2,0.2,0.2,0.2", "0.4,0.4,0.4,0.4", "-0.1,0.4,0.4,0.3", "nan,0.5,0.25,0.25", "low"]),
        ("claim_amount", ["nan", "inf", "1e999", "1,2", "much"]),
    ],
)
def test_what_the_task_may_not_answer_is_no_answer(name: str, refused: list[str]) -> None:
    """A whole answer, however good its other rows are."""
    answers = Answers(TASKS[name])
    good = {MODEL: "0.5", "risk_grade": "0.1,0.2,0.3,0.4", "claim_amount": "-7.5"}[name]
    assert len(answers.read(Body(f"{good}\n{good}\n", "CSV"))) == 2
    for text in refused:
        with pytest.raises(UNREADABLE):
            answers.read(Body(f"{good}\n{text}\n", "CSV"))


@pytest.mark.parametrize(
    "answer",
    [
        {"score": 0.5},
        {"class": "low"},
        {"scores": [0.1, 0.2, 0.3, 0.4]},
        {"scores": {"low": 0.5, "medium": 0.5}},
        {"scores": {"low": 0.1, "medium": 0.2, "high": 0.3, "other": 0.4}},
        {"scores": {"low": 0.1, "medium": 0.2, "high": 0.3, "severe": 0.4, "other": 0.0}},
        {"scores": {"low": 0.1, "medium": 0.2, "high": 0.3, "severe": None}},
    ],
)
def test_an_answer_about_other_classes_is_none(answer: dict[str, object]) -> None:
    with pytest.raises(UNREADABLE):
        Answers(TASKS["risk_grade"]).read(Body(json.dumps({"predictions": [answer]}), "JSON", JSON))


@pytest.mark.parametrize("name", ["risk_grade", "claim_amount"])
def test_requests_of_every_task_are_counted_with_their_scores(name: str) -> None:
    good, wrong = {"risk_grade": (graded(0.1, 0.2, 0.3, 0.4), 0.5), "claim_amount": (12_000.0, graded(0.1, 0.2, 0.3, 0.4))}[name]
    text = json_line([ROW], [good]) + json_line([ROW, ROW], [good, good]) + csv_line([ROW], [good]) + csv_line([ROW] * 2, [good] * 2)
    entries, malformed = request_log.lines((text + json_line([ROW], [wrong])).encode(), msgspec.json.Decoder(Entry))
    readings = list(Reader(TASKS[name]).read([entry.captureData for entry in entries]))

    assert malformed == 0
    assert [sum(getattr(reading, count) for reading in readings) for count in ("requests", "failed", "unreadable")] == [5, 1, 0]
    scores = np.concatenate([reading.scores for reading in readings])
    assert scores.tolist() == [list(good.values()) if isinstance(good, dict) else good] * 6
    assert sum(len(reading.table) for reading in readings) == 7


LABELLED = {
    "risk_grade": (["low", "severe", "Low", ""], {"a": 0, "b": 3}, graded(0.1, 0.2, 0.3, 0.4)),
    "claim_amount": (["0", "1.5e3", "50001", "much"], {"a": 0, "b": 1500}, 12_000.0),
}


@pytest.mark.parametrize("name", LABELLED)
def test_labels_of_every_task_are_joined_and_travel_between_machines(name: str) -> None:
    written, known, score = LABELLED[name]
    file = ["inference_id,label", *(f"{row},{label}" for row, label in zip("abcd", written, strict=True))]
    labels, answers = Labels.read([file], TASKS[name].rule), Answers(TASKS[name])
    parts = [Joined(len(labels.known), labels.malformed) for _ in "ab"]
    for part, row, hour in zip(parts, "ab", (8, 9), strict=True):
        text = json_line([ROW], [score], name=row, at=END.replace(hour=hour)) + json_line([ROW], [score], name="nobody")
        labels.join(request_log.lines(text.encode(), msgspec.json.Decoder(AnswerEntry))[0], answers, part)
    parts[0].merge(Joined.of(json.loads(json.dumps(parts[1].as_json()))))
    values, scores = parts[0].rows

    assert (labels.known, labels.malformed) == (known, 2)
    assert (parts[0].labels, parts[0].malformed, parts[0].unknown) == (2, 2, 0)
    assert sorted(values.tolist()) == list(known.values())
    assert scores.tolist() == [list(score.values()) if isinstance(score, dict) else score] * 2
