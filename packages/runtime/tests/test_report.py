"""What is written down of a model of each task: evaluation.json, and report.json, which draws it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from task_rows import CLASSES, MODELS

from paved_runtime import gates, report, spec, tasks
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.spec import Behaviour, ModelSpec
from paved_runtime.table import Table, Values
from paved_runtime.verdict import reported

ROWS = 400
METADATA = {"model": "m", "rows": {"train": 1000}, "files": {"model.json": "ab"}}
Json = dict[str, Any]


def model(task: str) -> ModelSpec:
    """The frozen model of a task, without tests of behaviour."""
    frozen = spec.load(MODELS[task])
    return frozen.model_copy(update={"gates": frozen.gates.model_copy(update={"behaviour": Behaviour()})})


def scored(task: str, noise: float) -> tuple[Values, Values]:
    """Labels of made-up rows, float64 [rows], and scores of them, the worse the more `noise`."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, len(CLASSES), ROWS).astype(np.float64) if task == "multiclass" else draw.gamma(3, 4_000, ROWS)
    draw = np.random.default_rng(1)
    if task == "regression":
        return labels, labels + draw.normal(0, 3_000 * noise, ROWS)
    strength = -np.abs((labels + draw.normal(0, noise, ROWS))[:, None] - np.arange(len(CLASSES)))
    return labels, np.exp(strength) / np.exp(strength).sum(axis=1, keepdims=True)


def written(task: str, **known: Any) -> tuple[Json, Json]:
    """evaluation.json and report.json, once through JSON, of a model with a champion."""
    of = model(task)
    labels, challenger = scored(task, 0.5)
    champion = Champion(model_package_arn="arn", reason="", scores=scored(task, 1.0)[1], trained=np.zeros(ROWS, dtype=np.bool_))
    names = list(of.data.columns)
    table = Table({name: place for place, name in enumerate(names)}, np.arange(ROWS * len(names), dtype=np.float64).reshape(ROWS, -1) % 3)
    holdout = Holdout(task=tasks.of(of.data), table=table, labels=labels, challenger=challenger, champion=champion)
    findings = gates.examine(of, holdout, {"checks": [], **known}, score=lambda _: challenger, explain=lambda _: None)
    verdict = reported("floor", "a figure", None, why="a test")
    made = report.evaluation(findings, [verdict], METADATA), report.report(findings)
    return json.loads(json.dumps(made[0], allow_nan=False)), json.loads(json.dumps(made[1], allow_nan=False))


def test_an_evaluation_says_what_scores_are_of() -> None:
    grades, amounts = (written(task)[0] for task in ("multiclass", "regression"))

    assert (grades["task"], grades["classes"]) == ("multiclass", list(CLASSES))
    assert (amounts["task"], amounts["target"]) == ("regression", {"minimum": 0.0, "maximum": 50_000.0})
    assert "target" not in grades
    assert "classes" not in amounts
    assert "files" not in grades
    assert "features" not in grades
    assert written("multiclass", features={"accounts": {"records": 3}})[0]["features"] == {"accounts": {"records": 3}}


@pytest.mark.parametrize(("task", "headline"), [("multiclass", "roc_auc"), ("regression", "r2")])
def test_every_metric_has_an_interval_and_a_champions(task: str, headline: str) -> None:
    evaluation, _ = written(task)

    for metric in evaluation["metrics"].values():
        assert metric["low"] <= metric["value"] <= metric["high"]
    assert evaluation["champion"]["metrics"].keys() == evaluation["metrics"].keys()
    assert evaluation["champion"]["metrics"][headline] < evaluation["metrics"][headline]["value"]


@pytest.mark.parametrize("task", list(MODELS))
def test_a_report_draws_challenger_and_champion_alike(task: str) -> None:
    _, content = written(task)
    challenger, champion = content["drawn"]["challenger"], content["drawn"]["champion"]

    assert (content["version"], content["task"]) == (2, task)
    assert challenger.keys() == champion.keys()
    assert challenger != champion
    assert sum(part["rows"] for part in content["slices"]) == ROWS
    assert all("error_difference" in group for group in content["fairness"]["groups"]) == (task == "regression")


def test_a_report_says_who_is_selected() -> None:
    assert written("multiclass")[1]["fairness"] | {"groups": []} == {"threshold": None, "selected": ["low", "medium"], "groups": []}
    assert written("regression")[1]["fairness"] | {"groups": []} == {"threshold": 10_000.0, "selected": [], "groups": []}


def test_a_report_of_classes_counts_what_is_taken_for_what() -> None:
    labels, scores = scored("multiclass", 0.5)
    _, content = written("multiclass")
    confusion = np.array(content["drawn"]["challenger"]["confusion"])

    assert content["classes"] == list(CLASSES)
    assert confusion.sum() == ROWS
    assert np.trace(confusion) == (scores.argmax(axis=1) == labels).sum()
    assert content["drawn"]["challenger"]["roc"].keys() == set(CLASSES)
