"""What a run tells others: figures to CloudWatch, where alarms and dashboards look, and what moved to whoever is subscribed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from model_code.runtime.monitoring.store import place

AT_ONCE = 500  # metrics a call; CloudWatch takes 1000
PAGE = "monitor.html"
UNUSUAL = {
    "failed": "requests without scores",
    "unreadable": "requests that have no rows",
    "malformed": "lines that are none of data capture",
    "own": "requests of the road itself, left out",
}
Json = Mapping[str, Any]


def metrics(found: Json) -> Iterator[dict[str, Any]]:
    """The figures of one run. What was not judged has none, so that an alarm does not take it for a good one."""
    yield _metric("MonitorRuns", 1, "Count")
    yield _metric("MonitoredRows", found["rows"], "Count")
    if not found["skipped"] or found["drifted"]:
        yield _metric("Drift", int(found["drifted"]), "Count")
    if not found["skipped"]:
        yield _metric("DriftedColumns", sum(column["moved"] for column in found["columns"].values()), "Count")
        yield _metric("Violations", found["violations"]["share"], "None")
        if found["scores"]["psi"] is not None:
            yield _metric("ScorePSI", found["scores"]["psi"], "None")
    for name, column in found["columns"].items():
        if column["psi"] is not None:
            yield _metric("PSI", column["psi"], "None") | {"Dimensions": [{"Name": "Column", "Value": name}]}
    quality = found["quality"]
    yield _metric("LabelledRows", quality["labelled"], "Count")
    if not quality["skipped"]:
        yield _metric("RocAuc", quality["roc_auc"], "None")
        yield _metric("CalibrationError", quality["calibration_error"], "None")


def put(cloudwatch: Any, namespace: str, found: Json) -> None:
    """Put the figures into CloudWatch."""
    every = list(metrics(found))
    for start in range(0, len(every), AT_ONCE):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=every[start : start + AT_ONCE])


def message(found: Json, report_uri: str, region: str) -> dict[str, str]:
    """The subject and the text of what is sent when something moved."""
    moved = [f"- {one['sentence']}" for one in found["moved"]]
    window, bucket, key = found["window"], *place(f"{report_uri}/{PAGE}")
    lines = [
        f"{found['endpoint']}, version {found['model_version']}, {window['start']} to {window['end']}, {found['rows']} rows:",
        *moved,
        "",
        f"With pictures: {report_uri}/{PAGE}",
        f"https://{region}.console.aws.amazon.com/s3/object/{bucket}?region={region}&prefix={quote(key, safe='')}",
    ]
    return {"Subject": f"{found['endpoint']}: {things(len(moved))} moved"[:100], "Message": "\n".join(lines)}


def summary(found: Json) -> str:
    """What the log keeps."""
    window, quality = found["window"], found["quality"]
    lines = [f"{window['start']} to {window['end']}: {found['rows']} rows in {found['requests']} requests"]
    lines += [f"{what}: {found[name]}" for name, what in UNUSUAL.items() if found[name]]
    lines += [f"skipped: {found['skipped']}"] if found["skipped"] else [f"{found['tests']} tests"]
    lines += [f"quality not judged: {quality['skipped']}"] if quality["skipped"] else [f"ROC AUC {quality['roc_auc']:.4f}"]
    lines += [f"labels of rows that were not captured: {quality['unknown']}"] if quality["unknown"] else []
    lines += [f"lines that are no label: {quality['malformed']}"] if quality["malformed"] else []
    moved = [f"moved: {one['sentence']}" for one in found["moved"]]
    return "\n".join([*lines, *(moved or ([] if found["skipped"] else ["nothing moved"]))])


def things(number: int) -> str:
    """`1 thing`, `2 things`."""
    return f"{number} thing{'' if number == 1 else 's'}"


def _metric(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"MetricName": name, "Value": float(value), "Unit": unit}
