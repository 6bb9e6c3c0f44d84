"""Traffic that is sent on purpose: which rows are in which request, and the labels that belong to them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli import labels, rows
from cli.traffic import Sent, Traffic, send
from pipelines.deployment.load import Call, Load
from tests import reference
from tests.reference import CONFIG
from tests.support.fakes import Fake
from tests.support.rows import ROWS
from tests.support.target import FakeTarget

MODEL = reference.model()


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_every_row_is_in_one_request_and_has_one_id(batch: int, tmp_path: Path) -> None:
    traffic = Traffic(model=MODEL, rows=ROWS, batch=batch)
    asked = [traffic.request(number) for number in range(traffic.requests)]
    instances = {own: json.loads(body)["instances"] for own, body in asked}

    assert [instance for part in instances.values() for instance in part] == [rows.request(row, MODEL) for row in ROWS]
    expected = [own if batch == 1 else f"{own}/{place}" for own, part in instances.items() for place in range(len(part))]
    assert traffic.ids() == expected
    with traffic.labels(tmp_path / "labels.csv").open() as stream:
        assert list(csv.DictReader(stream)) == [{"inference_id": own, "label": row["y"]} for own, row in zip(expected, ROWS, strict=True)]
    assert labels.check(tmp_path / "labels.csv", MODEL).rows == len(ROWS)


def test_two_traffics_share_no_id() -> None:
    first, second = (Traffic(model=MODEL, rows=ROWS) for _ in range(2))

    assert not set(first.ids()) & set(second.ids())


@pytest.mark.parametrize(
    ("scores", "classes", "mean", "line"),
    [
        ([0.25, 0.5], (), 0.375, "0.3750"),
        ([12_000.0, 8000.0], (), 10_000, "10000.0000"),
        ([[0.5, 0.25, 0.25], [0, 0.75, 0.25]], ("low", "medium", "high"), {"low": 0.25, "medium": 0.5, "high": 0.25}, None),
        ([], (), None, "none"),
    ],
)
def test_what_was_answered_is_told_by_its_mean(scores: list[Any], classes: tuple[str, ...], mean: Any, line: str | None) -> None:
    load = Load(10, [Call(due=0, sent=0, answered=0.01, failure="")])
    sent = Sent(endpoint="e", load=load, rows=2, scores=scores, classes=classes)

    assert sent.as_dict()["mean_score"] == mean
    assert sent.lines()["mean score"] == (line or "low 0.2500, medium 0.5000, high 0.2500")


def test_classes_that_are_answered_are_kept_with_their_names() -> None:
    model = reference.model("risk_grade")
    scores = dict(zip(model.data.classes, (0.5, 0.25, 0.125, 0.125), strict=True))
    answer = json.dumps({"predictions": [{"class": "low", "scores": scores}], "model_version": "0123"}).encode()
    runtime = Fake(invoke_endpoint=lambda **_: {"Body": io.BytesIO(answer)})
    rows = [{"income": "40000", "debt": "", "years": "7", "region": "south", "grade": "low"}] * 2
    sent = send(FakeTarget(sagemaker_runtime=runtime), CONFIG.environments[0], Traffic(model=model, rows=rows), rate=1000)

    assert sent.scores == [[0.5, 0.25, 0.125, 0.125]] * 2
    assert sent.mean == scores
    assert json.loads(runtime.asked("invoke_endpoint")[0]["Body"]) == {
        "instances": [{"income": 40000, "debt": None, "years": 7, "region": "south"}]
    }
