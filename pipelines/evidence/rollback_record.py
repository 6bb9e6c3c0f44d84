"""Why a version was taken back: which alarm and what its metric did, kept beside the version's evidence, signed like it, and drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

from pydantic import Field

from pipelines.evidence import document, pack
from pipelines.evidence.document import Document, PackageArn, Text, Time
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RECORD, GRAPH = "rollback.json", "rollback.svg"
FILES = (RECORD, f"{RECORD}.sig", GRAPH)
BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 640, 240, 70, 34, 40  # of the drawing, in pixels


class Alarm(Document):
    """An alarm that went into ALARM, and CloudWatch's reason."""

    name: Text
    time: Time
    reason: str


class Metric(Document):
    """What the metric of the first alarm did: a value for each time that had one."""

    label: Text
    threshold: float
    times: list[Time]
    values: list[float]


class RollbackRecord(Document):
    """One deployment that was taken back. `endpoint_config` is the configuration that should have served, `why` a sentence."""

    version: Literal[1] = 1
    model_package_arn: PackageArn
    environment: str
    endpoint: Text
    endpoint_config: Text
    time: Time
    taken_back_by: Literal["SageMaker", "the live check"]
    why: Text
    alarms: list[Alarm]
    metric: Metric | None = Field(description="of the first alarm")


def read(s3: S3Client, signer: Signer, artifacts: str, model_package_arn: str) -> RollbackRecord | None:
    """What is kept of why a version was taken back; None where there is nothing, or nothing that is signed."""
    uri = f"{pack.folder(artifacts, model_package_arn)}/{RECORD}"
    content = pack.read(s3, uri)
    if content is None or not pack.signed(s3, signer, uri, content):
        return None
    return document.parse(RollbackRecord, content, RECORD)


def keep(s3: S3Client, signer: Signer, artifacts: str, record: RollbackRecord) -> str:
    """Keep it beside the evidence, the drawing first; where it lies."""
    uri = f"{pack.folder(artifacts, record.model_package_arn)}/{RECORD}"
    if record.metric:
        pack.write(s3, pack.beside(uri, GRAPH), svg(record, record.metric).encode())
    pack.write_signed(s3, signer, uri, document.canonical(record))
    return uri


def graph(metric: Metric) -> str:
    """The metric as text: a line of blocks between its least and its largest value, and what the axes are.

    >>> print(graph(Metric(label="Errors", threshold=0.01, times=["2026-11-21T10:00:00Z", "2026-11-21T10:02:00Z"], values=[0, 0.5])))
    Errors, alarm above 0.01
    0 ▁█ 0.5
    10:00:00 to 10:02:00 UTC
    """
    if not metric.values:
        return f"{metric.label}, alarm above {metric.threshold:g}\nno data"
    low, high = min(metric.values), max(metric.values)
    step = (high - low) / (len(BLOCKS) - 1) or 1
    blocks = "".join(BLOCKS[round((value - low) / step)] for value in metric.values)
    span = f"{metric.times[0][11:19]} to {metric.times[-1][11:19]} UTC"
    return f"{metric.label}, alarm above {metric.threshold:g}\n{low:.4g} {blocks} {high:.4g}\n{span}"


def svg(record: RollbackRecord, metric: Metric) -> str:
    """The metric as a drawing that stands alone. The same record gives the same bytes."""
    top = max([*metric.values, metric.threshold]) * 1.1 or 1
    title = f"{metric.label}: {record.why}"
    rule = _height(metric.threshold, top)
    marks = [
        f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{rule}" y2="{rule}" stroke="#b3261e" stroke-dasharray="5 4"/>',
        _text(WIDTH - 10, rule - 5, f"alarm above {metric.threshold:g}", "end"),
        *(_text(LEFT - 8, _height(value, top) + 4, f"{value:.4g}", "end") for value in (0, top)),
    ]
    if metric.values:
        marks += [
            f'<polyline points="{_points(metric.values, top)}" fill="none" stroke="#1a56a8" stroke-width="2"/>',
            _text(LEFT, HEIGHT - 14, f"{metric.times[0][11:19]} UTC", "start"),
            _text(WIDTH - 10, HEIGHT - 14, metric.times[-1][11:19], "end"),
        ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">',
        f"<title>{_plain(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 10}" fill="none" stroke="#999"/>',
        _text(10, 20, f"{record.endpoint}: {metric.label}", "start"),
        *marks,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _points(values: Sequence[float], top: float) -> str:
    step = (WIDTH - 10 - LEFT) / max(len(values) - 1, 1)
    return " ".join(f"{LEFT + number * step:.1f},{_height(value, top)}" for number, value in enumerate(values))


def _height(value: float, top: float) -> float:
    """How far down a value is drawn; below nothing, nothing is drawn."""
    share = min(max(value / top, 0.0), 1.0) if math.isfinite(value) else 0.0
    return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="#333">{_plain(words)}</text>'


def _plain(words: str) -> str:
    """Words as XML holds them: a container's last words may be anything."""
    return escape("".join(letter if letter.isprintable() else " " for letter in words))
