"""What is shown of a look: what moved first, and nothing that is not known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli import monitoring
from cli.monitoring import Look
from cli.problem import Problem
from cli.progress import Step
from pipelines.deployment.standing import Standing
from tests import reference
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, Production
from tests.support.fakes import Altered
from tests.support.sample import ARN
from tests.support.target import FakeTarget

COLUMN = {"test": "ks", "statistic": 0.1487, "psi": 0.35, "p_value": 1e-9, "adjusted_p_value": 1e-8, "moved": True}
CALM = {**COLUMN, "test": "chi2", "statistic": 2.0, "psi": 0.004, "adjusted_p_value": 0.7, "moved": False}
EMPTY = {**CALM, "statistic": None, "psi": None, "adjusted_p_value": None}
REPORT: dict[str, Any] = {
    "model_version": "0123456789ab",
    "endpoint": "lead-production",
    "window": {"start": "2026-11-20T10:00:00Z", "end": "2026-11-21T10:00:00Z"},
    "requests": 300,
    "rows": 3600,
    "skipped": None,
    "drifted": True,
    "moved": [{"what": "age", "sentence": "age is distributed differently"}],
    "columns": {"job": CALM, "age": COLUMN, "balance": EMPTY},
    "scores": CALM,
    "predicted": None,
    "quality": {
        "labelled": 900,
        "skipped": None,
        "title": "ROC AUC",
        "figure": 0.78,
        "interval": [0.75, 0.81],
        "evaluation_figure": 0.8,
        "calibration_error": 0.02,
    },
}
BLIND = {"sentences": ["the endpoint answered 600 requests, 0 are there"]}
IN_LINE = Standing(state="in line")
CHANGED = Standing(state="changed", lines=("endpoint e serves version 1, its stack says version 2",))


def look(standing: Standing = IN_LINE, **changed: Any) -> Look:
    return Look(report={**REPORT, **changed}, source="s3://b/monitoring/x", folder=Path("/x"), standing=standing)


def shown(standing: Standing = IN_LINE, **changed: Any) -> str:
    """The look as a person sees it."""
    return on_screen(look(standing, **changed))


def on_screen(seen: Look) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(seen.view())
    return captured.get()


def test_what_moved_is_told_before_the_columns_largest_first() -> None:
    told = shown()
    places = [
        told.index(part) for part in ("1 moved", "age is distributed differently", "900 joined: ROC AUC 0.7800 (0.7500 to 0.8100)", "0.350")
    ]

    assert places == sorted(places)
    assert told.index("0.350") < told.index("0.004")


def test_a_model_of_classes_shows_what_it_predicts_and_a_regression_its_r2() -> None:
    told = shown(predicted={**COLUMN, "psi": 0.9}, quality={**REPORT["quality"], "title": "R²", "figure": -0.2})

    assert [line.split()[:2] for line in told.splitlines() if line.startswith("class")] == [["class", "0.900"]]
    assert "900 joined: R² -0.2000 (0.7500 to 0.8100), at evaluation 0.8000" in told


def test_what_an_older_version_saw_is_shown_too() -> None:
    """Its image, and so its report, is from before there was another task than binary."""
    report = {name: value for name, value in REPORT.items() if name != "predicted"}
    quality = {"labelled": 900, "skipped": None, "roc_auc": 0.78, "interval": [0.75, 0.81], "evaluation_roc_auc": 0.8}
    old = Look(report={**report, "quality": {**quality, "calibration_error": 0.02}}, source="s3://b/x", folder=Path("/x"), standing=IN_LINE)

    assert on_screen(old) == shown()


def test_a_feature_group_that_moved_is_named_and_another_is_not() -> None:
    told = shown(groups={"accounts": {"moved": ["age", "balance"]}, "calls": {"moved": []}})

    assert re.search(r"feature group accounts +age, balance moved", told)
    assert "calls" not in told


def test_a_column_without_a_cell_has_no_figures() -> None:
    (line,) = [line for line in shown().splitlines() if line.startswith("balance")]

    assert line.split() == ["balance", "all", "cells", "are", "empty"]


def test_a_look_that_saw_too_little_says_so_and_shows_no_columns() -> None:
    told = shown(skipped="12 rows, 500 are needed", moved=[], drifted=False, columns={}, scores={}, quality=None)

    assert "skipped: 12 rows, 500 are needed" in told
    assert "PSI" not in told
    assert "labels" not in told


def test_too_few_labels_are_told() -> None:
    assert BLIND["sentences"][0] in shown(capture=BLIND, skipped="0 rows in the window")
    assert "12 labels, 300 are needed" in shown(quality={"labelled": 12, "skipped": "12 labels, 300 are needed"})


def test_an_endpoint_that_serves_something_else_is_said_first() -> None:
    first, second, *_ = shown(CHANGED).splitlines()

    assert (first.split(maxsplit=2)[2].strip(), second.split()[0]) == (CHANGED.lines[0], "version")
    assert look(CHANGED).as_dict()["endpoint_now"]["state"] == "changed"
    assert shown().split()[0] == "version"


@pytest.mark.parametrize("gone", [True, False])
def test_an_endpoint_that_answers_nothing_is_not_monitored(gone: bool) -> None:
    """Started, the monitor would see no rows, and that is no finding."""
    production = Production.serving(f"{ARN}/1")
    production.gone, production.endpoint_status, started = gone, "Failed", list[str]()
    sagemaker = Altered(production, describe_pipeline=lambda **_: {}, start_pipeline_execution=lambda **_: started.append("monitor"))
    aws = FakeTarget(cloudformation=production, sagemaker=sagemaker)

    with pytest.raises(Problem, match=rf"endpoint {ENDPOINT} is .*\./road rollback .*: --last shows what was seen before"):
        monitoring.run(aws, reference.model(), ENVIRONMENT, Step("look"))
    assert started == []
