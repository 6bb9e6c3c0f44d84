"""The monitor of classes and of numbers: nothing changed is quiet, what was planted is named, and counts add up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from capture import ENDPOINT, VARIANT, csv_line, json_line, key
from fakes import BUCKET, END, Cloud

from paved_runtime import tasks
from paved_runtime.holdout import Holdout
from paved_runtime.monitor import Run, counted
from paved_runtime.monitoring import baseline, metrics, notification, page
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.judgement import judge
from paved_runtime.monitoring.labels import Joined
from paved_runtime.monitoring.quality import OUTCOMES, EvaluationMetrics
from paved_runtime.monitoring.request_log import Reading
from paved_runtime.monitoring.store import Shard
from paved_runtime.monitoring.window import Window
from paved_runtime.spec import Column, Data, Monitoring, Number
from paved_runtime.table import Table, Values

CLASSES = ("low", "medium", "high", "severe")
COLUMNS: dict[str, Column] = {name: Number(type="number", minimum=-1e9, maximum=1e9) for name in ("income", "debt")}
POSITIONS = {name: position for position, name in enumerate(COLUMNS)}
GRADES = Data(target="grade", classes=CLASSES, minimum_rows=1, holdout=0.2, columns=COLUMNS)
AMOUNTS = Data(target="amount", target_minimum=-1e6, target_maximum=1e6, minimum_rows=1, holdout=0.2, columns=COLUMNS)
DATA = {"multiclass": GRADES, "regression": AMOUNTS}
SHARES = np.array([0.5, 0.3, 0.15, 0.05])
WINDOW, RULE, ROWS = Window(END - timedelta(days=1), END), Monitoring(), 1000


@dataclass
class Drawn:
    """Rows with their scores and, for those who know them already, their labels."""

    table: Table
    labels: Values
    scores: Values


def drawn(task: str, seed: int, rows: int = ROWS) -> Drawn:
    """Rows for whose labels the scores are right."""
    draw = np.random.default_rng(seed)
    table = Table(POSITIONS, draw.normal(size=(rows, len(COLUMNS))))
    if task == "multiclass":
        scores = shares(np.log(SHARES) + draw.normal(size=(rows, len(CLASSES))))
        return Drawn(table, classes(scores, draw), scores)
    amounts = draw.gamma(2, 5_000, rows) - 8_000
    return Drawn(table, amounts + draw.normal(0, 4_000, rows), amounts)


def shares(logits: Values) -> Values:
    """Probabilities of the classes, float64 [rows, classes]."""
    raised: Values = np.exp(logits)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def classes(scores: Values, draw: np.random.Generator) -> Values:
    """A class for each row, as likely as its scores say."""
    chance = draw.random((len(scores), 1)) * scores.sum(axis=1, keepdims=True)
    return np.asarray(np.minimum((scores.cumsum(axis=1) < chance).sum(axis=1), len(CLASSES) - 1), dtype=np.float64)


def known(task: str, rows: Drawn) -> tuple[Baseline, EvaluationMetrics]:
    """What evaluation writes about some held-out rows, and reads back."""
    kind = tasks.of(DATA[task])
    holdout = Holdout(task=kind, table=rows.table, labels=rows.labels, challenger=rows.scores, champion=None)
    content = json.loads(json.dumps(baseline.record(holdout)))
    figures = kind.metrics(rows.labels, rows.scores)
    return Baseline.of(content, DATA[task]), EvaluationMetrics(figures[kind.headline], figures["calibration_error"])


KNOWN = {task: known(task, drawn(task, 0, 10_000)) for task in DATA}


def joined(rows: Drawn, labelled: int) -> Joined:
    each = zip(rows.scores[:labelled].tolist(), rows.labels[:labelled].tolist(), strict=True)
    return Joined(labelled, 0, {str(row): ("", score, label) for row, (score, label) in enumerate(each)})


def judged(task: str, rows: Drawn, labelled: int = 0, rule: Monitoring = RULE) -> dict[str, Any]:
    before, evaluation = KNOWN[task]
    counts = Counts.none(WINDOW, before, joined(rows, labelled))
    counts.add(Reading(rows.table, rows.scores, requests=len(rows.labels)), before)
    return judge(counts, before, evaluation, rule)


def moved(report: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(change["kind"], change["what"]) for change in report["moved"]}


@pytest.mark.parametrize("task", DATA)
def test_windows_in_which_nothing_moved_are_silent(task: str) -> None:
    false = [change for seed in range(100, 200) for change in judged(task, drawn(task, seed, 500), labelled=400)["moved"]]

    assert false == []


def tilted(rows: Drawn, draw: np.random.Generator) -> None:
    """Worse grades, for those who deserve them."""
    rows.scores = shares(np.log(rows.scores) + np.linspace(0, 1.5, len(CLASSES)))
    rows.labels = classes(rows.scores, draw)


def swapped(rows: Drawn, _: np.random.Generator) -> None:
    """The scores of two classes have changed places."""
    rows.scores = rows.scores[:, [1, 0, 2, 3]]


def confused(rows: Drawn, draw: np.random.Generator) -> None:
    """Outcomes have nothing to do with scores any more, and are as frequent as before."""
    rows.labels = draw.permutation(rows.labels)


def overconfident(rows: Drawn, draw: np.random.Generator) -> None:
    """Every class happens as often as the others, whatever the scores say."""
    rows.labels = draw.integers(0, len(CLASSES), ROWS).astype(np.float64)


def more_severe(rows: Drawn, draw: np.random.Generator) -> None:
    rows.labels = np.where(draw.random(ROWS) < 0.2, 3.0, rows.labels)


def raised(rows: Drawn, draw: np.random.Generator) -> None:
    """Higher amounts, for those who deserve them."""
    del draw
    rows.scores, rows.labels = rows.scores + 5_000, rows.labels + 5_000


def biased(rows: Drawn, _: np.random.Generator) -> None:
    rows.labels = rows.labels + 3_000


def noisy(rows: Drawn, draw: np.random.Generator) -> None:
    rows.labels = rows.labels + draw.normal(0, 9_000, ROWS)


QUALITY, CALIBRATION, LABELS = (
    {"multiclass": ("quality", "mean ROC AUC"), "regression": ("quality", "R²")},
    ("calibration",) * 2,
    ("labels",) * 2,
)
SCORES, CLASS = ("scores",) * 2, ("scores", "class")
PLANTED: dict[tuple[str, Callable[[Drawn, np.random.Generator], None]], set[tuple[str, str]]] = {
    ("multiclass", tilted): {SCORES, CLASS, LABELS},
    ("multiclass", swapped): {SCORES, CLASS, QUALITY["multiclass"], CALIBRATION},
    ("multiclass", confused): {QUALITY["multiclass"], CALIBRATION},
    ("multiclass", overconfident): {QUALITY["multiclass"], CALIBRATION, LABELS},
    ("multiclass", more_severe): {LABELS, CALIBRATION},
    ("regression", raised): {SCORES, LABELS},
    ("regression", confused): {QUALITY["regression"], CALIBRATION},
    ("regression", biased): {CALIBRATION, LABELS},
    ("regression", noisy): {QUALITY["regression"], LABELS},
}


@pytest.mark.parametrize(("task", "plant"), PLANTED)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_planted_is_named_and_nothing_else(task: str, plant: Callable[[Drawn, np.random.Generator], None], seed: int) -> None:
    rows = drawn(task, seed)
    plant(rows, np.random.default_rng(seed))
    report = judged(task, rows, labelled=ROWS)

    assert moved(report) == PLANTED[task, plant]
    assert all(change["sentence"].isprintable() for change in report["moved"])


def test_most_probable_classes_are_seen_where_the_mean_place_stays_what_it_is() -> None:
    def centred(seed: int, outer: float) -> Drawn:
        rows = drawn("multiclass", seed, 5_000)
        lean = np.random.default_rng(seed).uniform(-0.02, 0.02, 5_000)
        rows.scores = np.column_stack([lean * 0 + outer, 0.5 - outer + lean, 0.5 - outer - lean, lean * 0 + outer])
        return rows

    before, evaluation = known("multiclass", centred(1, 0.1))
    rows, counts = centred(2, 0.4), Counts.none(WINDOW, before)
    counts.add(Reading(rows.table, rows.scores), before)
    report = judge(counts, before, evaluation, RULE)

    assert moved(report) == {CLASS}
    assert report["moved"][0]["sentence"].endswith("'low' is 100 % instead of 0 %")


def test_a_class_with_few_labels_is_ranked_by_neither_side() -> None:
    """Evaluation's figure is then that of the same classes: a class that is easy to tell is no loss where it is rare."""
    rows = drawn("multiclass", 1, 2_000)
    kept = np.flatnonzero(rows.labels != 3)
    few = np.concatenate([kept, np.flatnonzero(rows.labels == 3)[: OUTCOMES - 1]])
    rare = Drawn(Table(POSITIONS, rows.table.values[few]), rows.labels[few], rows.scores[few])
    quality, complete = (judged("multiclass", each, labelled=len(each.labels))["quality"] for each in (rare, rows))
    areas = KNOWN["multiclass"][0].areas

    assert (quality["classes"], complete["classes"]) == (list(CLASSES[:3]), list(CLASSES))
    assert quality["evaluation_figure"] == pytest.approx(np.mean([areas[place] for place in range(3)]))
    assert complete["evaluation_figure"] == pytest.approx(np.mean(list(areas.values()))) != quality["evaluation_figure"]


@pytest.mark.parametrize(
    ("task", "labels", "said"),
    [
        ("multiclass", [0.0] * 180 + [1.0] * 19, "199 scored rows have a label, at least 200 are needed"),
        ("multiclass", [0.0] * 300 + [1.0] * 24, "24 labelled rows have the second most frequent class, at least 25 are needed"),
        ("regression", [7.0] * 199, "199 scored rows have a label, at least 200 are needed"),
        ("regression", [7.0] * 300, "the labels of all 300 rows are the same"),
    ],
)
def test_labels_that_say_too_little_are_not_judged(task: str, labels: list[float], said: str) -> None:
    rows = drawn(task, 1)
    rows.labels[: len(labels)] = labels
    quality = judged(task, rows, labelled=len(labels))["quality"]

    assert (quality["skipped"], quality["figure"], quality["reliability"]) == (said, None, None)
    assert quality["evaluation_figure"] == KNOWN[task][1].headline


def test_classes_that_evaluation_did_not_have_are_not_judged() -> None:
    held_out = drawn("multiclass", 0, 5_000)
    held_out.labels = np.minimum(held_out.labels, 1)
    before, evaluation = known("multiclass", held_out)
    rows = drawn("multiclass", 1)
    rows.labels = 2 + (np.arange(ROWS) % 2).astype(np.float64)
    report = judge(Counts.none(WINDOW, before, joined(rows, ROWS)), before, evaluation, RULE)

    assert report["quality"]["skipped"] == f"no class that has {OUTCOMES} labelled rows was there in evaluation"


@pytest.mark.parametrize("task", DATA)
def test_machines_count_what_one_counts(task: str) -> None:
    rows, (before, evaluation) = drawn(task, 1), KNOWN[task]
    every = joined(rows, ROWS)
    once = Counts.none(WINDOW, before, every)
    once.add(Reading(rows.table, rows.scores, requests=ROWS), before)
    parts = []
    for machine in np.array_split(np.random.default_rng(2).permutation(ROWS), 3):
        pairs = {str(row): every.pairs[str(row)] for row in machine.tolist()}
        part = Counts.none(WINDOW, before, Joined(ROWS, 0, pairs))
        part.add(Reading(Table(POSITIONS, rows.table.values[machine]), rows.scores[machine], requests=len(machine)), before)
        parts.append(Counts.of(json.loads(json.dumps(part.as_json()))))
    for part in parts[1:]:
        parts[0].merge(part)

    assert judge(parts[0], before, evaluation, RULE) == judge(once, before, evaluation, RULE)
    assert parts[0].predicted.tolist() == once.predicted.tolist()
    assert once.predicted.sum() == (ROWS if task == "multiclass" else 0)


def test_the_baseline_of_an_older_binary_model_is_read() -> None:
    """As it was written before there was another task."""
    data = Data(target="y", positive="yes", negative="no", minimum_rows=1, holdout=0.2, columns=COLUMNS)
    column = {"points": [1.0, 2.0], "cuts": [1.0, 2.0], "counts": [0, 60, 0, 40, 0], "missing": 0}
    content = {"version": 1, "rows": 100, "positive_share": 0.3, "columns": {"income": column, "debt": column}, "scores": column}
    before = Baseline.of(content, data)

    assert (before.labels.scale.labels, before.labels.counts.tolist()) == (["no", "yes"], [70, 30])
    assert before.labels.scale.count(np.array([1.0, 0, 1])).tolist() == [1, 2]
    assert (before.rows, before.scores.counts.sum(), before.predicted.counts.sum(), before.mean) == (100, 100, 0, None)


@pytest.mark.parametrize("task", DATA)
def test_a_window_from_the_capture_to_the_page(task: str) -> None:
    """In two formats and with labels; what moved is said everywhere."""
    rows, cloud, (before, evaluation) = drawn(task, 1), Cloud(), KNOWN[task]
    raised(rows, np.random.default_rng(1)) if task == "regression" else tilted(rows, np.random.default_rng(1))
    answers = [dict(zip(CLASSES, score, strict=True)) if task == "multiclass" else score for score in rows.scores.tolist()]
    cells = [dict(zip(COLUMNS, row, strict=True)) for row in rows.table.values.tolist()]
    each = list(zip(cells, answers, range(ROWS), strict=True))
    text = "".join(json_line([row], [answer], name=str(place)) for row, answer, place in each[: ROWS // 2])
    cloud.s3.put(key("v"), text + json_line([cells[0]], ["nothing"]))  # type: ignore[list-item]
    cloud.s3.put(key("v", name="b.jsonl"), "".join(csv_line([row], [answer], name=str(place)) for row, answer, place in each[ROWS // 2 :]))
    rule = tasks.of(DATA[task]).rule
    written = "".join(f"{place},{rule.spell(label)}\n" for place, label in enumerate(rows.labels.tolist()))
    cloud.s3.put("labels/all.csv", f"inference_id,label\n{written}")
    uris = {name: f"s3://{BUCKET}/{name.removesuffix('_uri')}" for name in ("capture_uri", "labels_uri", "report_uri")}
    names = {"model": "m", "version": "v", "endpoint": ENDPOINT, "variant": VARIANT, "namespace": "Scores", "topic_arn": "", "console": ""}
    run = Run(**names, **uris, end=END, rule=RULE, lookups={}, baseline=before, evaluation=evaluation)
    counts = counted(cloud, run, Shard())
    capture = {"share": 0.0, "unreadable_objects": 0, "elsewhere": {}, "sentences": [], "objects": 2, "answered": 0}
    identity = {"model": "m", "model_version": "v", "endpoint": ENDPOINT, "variant": VARIANT}
    report = json.loads(json.dumps({**identity, **judge(counts, before, evaluation, RULE), "capture": capture}))
    metrics.put(cloud.cloudwatch, "Scores", report)
    html, said = page.render(report, "Something."), notification.summary(report)

    assert (report["task"], report["requests"], report["failed"], report["quality"]["labelled"]) == (task, ROWS + 1, 1, ROWS)
    assert report["quality"]["figure"] == pytest.approx(evaluation.headline, abs=0.05)
    assert moved(report) == PLANTED[task, raised if task == "regression" else tilted]
    put = cloud.cloudwatch.metrics
    assert put["R2" if task == "regression" else "RocAuc"] == report["quality"]["figure"]
    assert ("ClassPSI" in put, "RocAuc" in put) == (task == "multiclass",) * 2
    assert f"{'R²' if task == 'regression' else 'mean ROC AUC'} {report['quality']['figure']:.4f}" in said
    assert all(change["sentence"] in said for change in report["moved"])
    shown = {
        "multiclass": ["Most probable classes", "mean ROC AUC", "Reliability of <bdi>severe"],
        "regression": ["R²", "mean label", "standard deviations"],
    }
    assert all(text in html for text in shown[task])
    assert "positive" not in html


def test_of_many_classes_the_page_shows_those_first_whose_scores_are_off_most() -> None:
    """All of them can be opened."""
    rows = drawn("multiclass", 1)
    more_severe(rows, np.random.default_rng(1))
    report = judged("multiclass", rows, labelled=ROWS)
    each = report["quality"]["reliability"]
    many = {**each, **{f"class {place}": each["high"] for place in range(6)}}
    capture = {"share": 0.0, "unreadable_objects": 0, "elsewhere": {}, "sentences": [], "objects": 2, "answered": 0}
    identity = {"model": "m", "model_version": "v", "endpoint": ENDPOINT, "variant": VARIANT, "capture": capture}
    html = page.render({**identity, **report, "quality": {**report["quality"], "reliability": many}}, "Something.")

    assert (
        html.index("Reliability of <bdi>severe") < html.index("Reliability of 6 more classes") < html.index("Reliability of <bdi>class 5")
    )
    assert html.count("Reliability of <bdi>") == len(many)
