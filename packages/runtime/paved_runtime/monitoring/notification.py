"""The notification: what moved, in words, for whoever is subscribed and for the log. `report` is the content of monitor.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paved_runtime.monitoring import feature_groups
from paved_runtime.monitoring.services import SNS
from paved_runtime.monitoring.store import place

PAGE = "monitor.html"
UNUSUAL = {
    "failed": "requests without scores",
    "unreadable": "requests that have no rows",
    "malformed": "lines that are none of data capture",
    "own": "requests of the road itself, left out",
}
Json = Mapping[str, Any]


def publish(sns: SNS, topic_arn: str, report: Json, report_uri: str, console: str) -> None:
    """Publish what moved. `console` is where the console of the region begins, empty where there is none to link to."""
    subject, text = message(report, report_uri, console)
    sns.publish(TopicArn=topic_arn, Subject=subject, Message=text)


def message(report: Json, report_uri: str, console: str) -> tuple[str, str]:
    """The subject and the text of what is sent when something moved."""
    moved = [f"- {change['sentence']}" for change in report["moved"]]
    window, bucket, key = report["window"], *place(f"{report_uri}/{PAGE}")
    lines = [
        f"{report['endpoint']}, version {report['model_version']}, {window['start']} to {window['end']}, {report['rows']} rows:",
        *moved,
        *(f"- {sentence}" for sentence in feature_groups.sentences(report["groups"])),
        *(f"- capture: {sentence}" for sentence in report["capture"]["sentences"]),
        "",
        f"With pictures: {report_uri}/{PAGE}",
        *([f"{console}/s3/object/{bucket}?prefix={quote(key, safe='')}"] if console else []),
    ]
    things = "1 thing" if len(moved) == 1 else f"{len(moved)} things"
    return f"{report['endpoint']}: {things} moved"[:100], "\n".join(lines)


def summary(report: Json) -> str:
    """What the log keeps."""
    window, quality = report["window"], report["quality"]
    lines = [f"{window['start']} to {window['end']}: {report['rows']} rows in {report['requests']} requests"]
    lines += [f"of them {report['batch']} rows that batches have scored"] if report["batch"] else []
    lines += [f"{what}: {report[name]}" for name, what in UNUSUAL.items() if report[name]]
    lines += [f"capture: {sentence}" for sentence in report["capture"]["sentences"]]
    lines += [f"skipped: {report['skipped']}"] if report["skipped"] else [f"{report['tests']} tests"]
    lines += [f"quality not judged: {quality['skipped']}"] if quality["skipped"] else [f"{quality['title']} {quality['figure']:.4f}"]
    lines += [f"labels of rows that were not captured: {quality['unknown']}"] if quality["unknown"] else []
    lines += [f"lines that are no label: {quality['malformed']}"] if quality["malformed"] else []
    moved = [f"moved: {change['sentence']}" for change in report["moved"]]
    lines += feature_groups.sentences(report["groups"])
    return "\n".join([*lines, *(moved or ([] if report["skipped"] else ["nothing moved"]))])
