"""The figures of a run as CloudWatch metrics, where alarms and dashboards look. `report` is the content of monitor.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from paved_runtime.monitoring.services import CloudWatch

AT_ONCE = 500  # metrics a call; CloudWatch takes 1000
HEADLINES = {"roc_auc": "RocAuc", "r2": "R2"}  # by the names that evaluation gives them
Metric = dict[str, Any]


def put(cloudwatch: CloudWatch, namespace: str, report: Mapping[str, Any]) -> None:
    """Put the figures into CloudWatch."""
    every = list(metrics(report))
    for start in range(0, len(every), AT_ONCE):
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=every[start : start + AT_ONCE])


def metrics(report: Mapping[str, Any]) -> Iterator[Metric]:
    """The figures of one run. What was not judged has none, so that an alarm does not take it for a good one."""
    yield _metric("MonitorRuns", 1, "Count")
    yield _metric("MonitoredRows", report["rows"], "Count")
    capture = report["capture"]
    yield _metric("UnreadShare", capture["share"], "None")
    yield _metric("MalformedLines", report["malformed"], "Count")
    yield _metric("UnreadableRequests", report["unreadable"], "Count")
    yield _metric("FailedRequests", report["failed"], "Count")
    yield _metric("UnreadableObjects", capture["unreadable_objects"], "Count")
    yield _metric("CapturedElsewhere", sum(capture["elsewhere"].values()), "Count")
    if not report["skipped"] or report["drifted"]:
        yield _metric("Drift", int(report["drifted"]), "Count")
    if not report["skipped"]:
        yield _metric("DriftedColumns", sum(column["moved"] for column in report["columns"].values()), "Count")
        yield _metric("Violations", report["violations"]["share"], "None")
        if report["scores"]["psi"] is not None:
            yield _metric("ScorePSI", report["scores"]["psi"], "None")
        if report["predicted"] and report["predicted"]["psi"] is not None:
            yield _metric("ClassPSI", report["predicted"]["psi"], "None")
    for name, column in report["columns"].items():
        if column["psi"] is not None:
            yield _metric("PSI", column["psi"], "None") | {"Dimensions": [{"Name": "Column", "Value": name}]}
    quality = report["quality"]
    yield _metric("LabelledRows", quality["labelled"], "Count")
    if not quality["skipped"]:
        yield _metric(HEADLINES[quality["metric"]], quality["figure"], "None")
        yield _metric("CalibrationError", quality["calibration_error"], "None")


def _metric(name: str, value: float, unit: str) -> Metric:
    return {"MetricName": name, "Value": float(value), "Unit": unit}
