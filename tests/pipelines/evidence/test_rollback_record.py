"""Why a version was taken back: kept, signed, and drawn so that a person sees it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evidence import document, pack
from pipelines.evidence.rollback_record import BLOCKS, GRAPH, RECORD, Metric, RollbackRecord, graph, keep, read, svg
from tests.support.rollback_records import METRIC, TIMES, rollback_record
from tests.support.world import World


def drawn(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314  # it is our own


def test_a_graph_of_text_has_both_axes() -> None:
    assert graph(METRIC).splitlines() == ["Invocation5XXErrors, alarm above 0.01", "0 ▁▁▆█ 0.31", "10:00:00 to 10:03:00 UTC"]


def test_a_graph_of_nothing_says_so() -> None:
    empty = METRIC.model_copy(update={"times": [], "values": []})

    assert graph(empty) == "Invocation5XXErrors, alarm above 0.01\nno data"
    assert drawn(svg(rollback_record(metric=empty), empty)).tag.endswith("svg")


@given(st.lists(st.floats(-1e6, 1e9, allow_nan=False), min_size=1, max_size=60), st.floats(0, 1e9))
def test_any_metric_can_be_drawn(values: list[float], threshold: float) -> None:
    metric = Metric(label="m", threshold=threshold, times=[TIMES[0]] * len(values), values=values)
    line = graph(metric).splitlines()[1].split()[1]
    drawing = drawn(svg(rollback_record(metric=metric), metric))
    points = drawing.find("{http://www.w3.org/2000/svg}polyline")

    assert len(line) == len(values)
    assert set(line) <= set(BLOCKS)
    assert points is not None
    assert all(0 <= float(y) <= 240 for _, y in (point.split(",") for point in points.attrib["points"].split()))


def test_the_drawing_holds_whatever_a_container_said_last() -> None:
    drawing = drawn(svg(rollback_record(why="\x1b[31m died: <no> & \x00"), METRIC))

    title = drawing.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "Invocation5XXErrors:  [31m died: <no> &  "


def test_it_is_kept_beside_the_evidence_once_and_signed(staged: World) -> None:
    record = rollback_record(model_package_arn=staged.arn)
    uri = keep(staged.s3, staged.signer, staged.artifacts, record)
    keep(staged.s3, staged.signer, staged.artifacts, record)

    assert uri == pack.beside(staged.uri, RECORD)
    assert staged.read(uri) == document.canonical(record)
    assert b"<polyline" in staged.read(pack.beside(staged.uri, GRAPH))
    assert read(staged.s3, staged.signer, staged.artifacts, staged.arn) == record
    assert {name: staged.versions[name] for name in (RECORD, f"{RECORD}.sig", GRAPH)} == dict.fromkeys((RECORD, f"{RECORD}.sig", GRAPH), 1)
    assert read(staged.s3, staged.stranger, staged.artifacts, staged.arn) is None


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(document.DocumentError, match=r"rollback\.json: taken_back_by"):
        document.parse(RollbackRecord, {**rollback_record().model_dump(), "taken_back_by": "nobody"}, RECORD)
