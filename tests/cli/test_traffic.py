"""Traffic that is sent on purpose: which rows are in which request, and the labels that belong to them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cli import labels, rows
from cli.traffic import Traffic
from tests import reference
from tests.support.rows import ROWS

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
