"""What evaluation writes of models of the other tasks: made-up scores, measured by the runtime's own tasks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from paved_runtime import tasks
from paved_runtime.spec import Column, Data, Integer
from paved_runtime.table import Values
from paved_runtime.tasks.task import Task
from pipelines.evidence.document import Evidence
from tests.support import sample

ROWS, GRADES = 2_000, ("low", "medium", "high", "severe")
REGIONS = ("north", "south", "east")
COLUMNS: dict[str, Column] = {"income": Integer(type="integer", minimum=0, maximum=100)}
Json = dict[str, Any]


def grades(classes: tuple[str, ...] = GRADES) -> Data:
    """The data of a model of several classes."""
    return Data(target="grade", classes=classes, minimum_rows=10, holdout=0.2, columns=COLUMNS)


def amounts() -> Data:
    """The data of a model of amounts."""
    return Data(target="amount", target_minimum=0, target_maximum=50_000, minimum_rows=10, holdout=0.2, columns=COLUMNS)


def scored(data: Data, noise: float = 1.0, seed: int = 0) -> tuple[Values, Values]:
    """Labels of made-up rows, float64 [rows], and a model's scores of them, the worse the more `noise` there is."""
    draw, width = np.random.default_rng(seed), len(data.classes)
    labels = draw.integers(0, width, ROWS).astype(np.float64) if width else np.clip(draw.gamma(3, 4_000, ROWS), 0, 50_000)
    draw = np.random.default_rng(seed + 1)
    if not width:
        return labels, np.clip(0.8 * labels + 0.2 * labels.mean() + draw.normal(0, 2_500 * noise, ROWS), 0, 50_000)
    places = labels + draw.normal(0, noise * (0.3 + 0.5 * labels / width), ROWS)
    strength = -np.abs(places[:, None] - np.arange(width)) * 1.8
    return labels, np.exp(strength) / np.exp(strength).sum(axis=1, keepdims=True)


def report(data: Data) -> Json:
    """`report.json` of a model with a champion."""
    task = tasks.of(data)
    labels, challenger = scored(data)
    champion = scored(data, noise=1.5)[1]
    return {
        **sample.report(),
        "task": task.name,
        "classes": list(data.classes),
        "drawn": {"challenger": task.drawn(labels, challenger), "champion": task.drawn(labels, champion)},
        "slices": _slices(task, labels, challenger, champion),
        "fairness": _fairness(data),
        "data": {**_without_outcomes(sample.data()), **task.profile(labels), "split": _split(task, labels)},
    }


def evaluation(data: Data) -> Json:
    """`evaluation.json` of the same model."""
    task = tasks.of(data)
    labels, challenger = scored(data)
    champion = scored(data, noise=1.5)[1]
    intervals = task.intervals(labels, challenger)
    metrics = {
        name: {"value": value, **dict(zip(("low", "high"), intervals[name], strict=True))}
        for name, value in task.metrics(labels, challenger).items()
    }
    target = (
        {"classes": list(data.classes)} if data.classes else {"target": {"minimum": data.target_minimum, "maximum": data.target_maximum}}
    )
    return {
        **sample.content()["evaluation"],
        "task": task.name,
        **target,
        "metrics": metrics,
        "champion": {**sample.content()["evaluation"]["champion"], "metrics": task.metrics(labels, champion)},
        "gates": _gates(task, metrics),
    }


def evidence(data: Data, **changes: Any) -> Evidence:
    """The document."""
    purpose = "Grades what applicants are likely to do." if data.classes else "Estimates what a claim will cost in the end."
    return sample.evidence(evaluation=evaluation(data), purpose=purpose, **changes)


def approved(data: Data) -> Evidence:
    """The document after somebody said yes."""
    return sample.approved(evaluation=evaluation(data))


def _gates(task: Task, metrics: Json) -> list[Json]:
    figure = metrics[task.headline]["value"]
    slices = [sample.verdict("slices", f"region {region}: {task.title}", figure - 0.02, ">=", 0.6) for region in REGIONS]
    champion = sample.verdict("champion", f"region north: {task.title}, challenger minus champion, upper bound", 0.02, ">=", -0.03)
    subject = "bias, in standard deviations of the target" if task.name == "regression" else "low: expected calibration error"
    off = [sample.verdict("fairness", "region north: mean error against all rows', in standard deviations of the target", 0.04, "<=", 0.2)]
    return [
        sample.verdict("data contract", "violations", 0, "<=", 0),
        sample.verdict("floor", task.title, figure, ">=", 0.6),
        sample.verdict("calibration", subject, 0.02, "<=", 0.1),
        *slices,
        champion,
        *(off if task.name == "regression" else []),
    ]


def _slices(task: Task, labels: Values, challenger: Values, champion: Values) -> list[Json]:
    made = []
    for number, region in enumerate(REGIONS):
        rows = np.arange(ROWS) % len(REGIONS) == number
        figure, before = task.figure(labels[rows], challenger[rows]), task.figure(labels[rows], champion[rows])
        assert figure is not None
        assert before is not None
        apart = figure - before
        made.append(
            {
                "column": "region",
                "group": region,
                "rows": int(rows.sum()),
                "fewest": task.fewest(labels[rows]),
                "metric": task.headline,
                "figure": figure,
                "champion_figure": before,
                "difference": apart,
                "low": apart - 0.01,
                "high": apart + 0.01,
                "judged": True,
            }
        )
    return made


def _fairness(data: Data) -> Json:
    groups = [
        {
            "column": "region",
            "group": region,
            "rows": 640 + 40 * number,
            "positives": 300 + 10 * number,
            "selected": 310 + 10 * number,
            "selection_rate": 0.45 + 0.01 * number,
            "selection_rate_ratio": 0.95 + 0.02 * number,
            "true_positive_rate": 0.8 + 0.01 * number,
            "opportunity_difference": 0.02 - 0.01 * number,
            "judged": True,
            **({} if data.classes else {"error_difference": 0.08 * math.cos(2 * number)}),
        }
        for number, region in enumerate(REGIONS)
    ]
    if data.classes:
        return {"threshold": None, "selected": list(data.classes[:2]), "groups": groups}
    return {"threshold": 10_000.0, "selected": [], "groups": groups}


def _split(task: Task, labels: Values) -> Json:
    sides = {"train": labels[: ROWS // 2], "holdout": labels[ROWS // 2 :]}
    return {**sample.data()["split"], "outcomes": {name: dict(task.counts(side)) for name, side in sides.items()}}


def _without_outcomes(data: Json) -> Json:
    return {name: value for name, value in data.items() if name != "positive_share"}
