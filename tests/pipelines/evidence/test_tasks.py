"""Evidence of models of every task: the document, the page, the card and the model quality, each in the task's own words and figures."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn  # type: ignore[import-untyped]

from paved_runtime import tasks
from paved_runtime.page import interval
from paved_runtime.spec import OBJECTIVES, Data, TaskName
from pipelines.evidence import card, document, evaluation_page, page, quality, report, wording
from pipelines.evidence.document import Evaluation
from pipelines.evidence.plots import multiclass
from tests.support import sample, task_samples
from tests.support.pages import HOSTILE, SECTIONS, usual
from tests.support.task_samples import GRADES

DIGITS = tuple(f"digit {number}" for number in range(10))
OTHERS = [task_samples.grades(), task_samples.grades(DIGITS), task_samples.amounts()]
OF_OUTCOMES = re.compile(
    r"two in ten turn out positive|probability of (the )?positive|positive rows before|share of positives|average precision"
)
Json = dict[str, Any]


class Text(HTMLParser):
    """What a page says."""

    said = ""

    def handle_data(self, data: str) -> None:
        self.said += data


def name(data: Data) -> str:
    """What a case is called."""
    return f"{data.task} of {len(data.classes)}" if data.classes else data.task


def drawn(data: Data) -> str:
    """The page of a model with such data."""
    return page.render(task_samples.evidence(data), task_samples.report(data))


def labels(html: str) -> list[str]:
    """What each plot says to those who do not see it."""
    return re.findall(r'<svg class="plot" role="img" aria-label="([^"]*)"', html)


def text(html: str) -> str:
    """What stands between the tags, outside of plots."""
    read = Text()
    read.feed(re.sub(r'<svg class="plot".*?</svg>', "", html, flags=re.DOTALL))
    return read.said


@pytest.mark.parametrize("task", list(OBJECTIVES))
def test_every_metric_has_a_name(task: TaskName) -> None:
    data = {"multiclass": OTHERS[0], "regression": OTHERS[2]}.get(task)
    measured = set(sample.content()["evaluation"]["metrics"]) if data is None else set(task_samples.evaluation(data)["metrics"])
    words = wording.of(task)

    assert set(words.metrics) == measured
    assert set(OBJECTIVES[task]) <= measured
    assert next(iter(words.metrics)) == words.headline


def test_a_headline_is_called_what_its_verdicts_call_it() -> None:
    for data in OTHERS:
        assert wording.of(data.task).title == tasks.of(data).title


@pytest.mark.parametrize("data", OTHERS, ids=name)
def test_a_document_says_what_scores_are_of(data: Data) -> None:
    content = document.canonical(task_samples.approved(data))
    read = document.load_evidence(content)
    evaluation = json.loads(content)["evaluation"]

    assert document.canonical(read) == content
    assert evaluation["task"] == data.task
    assert evaluation.get("classes") == (list(data.classes) or None)
    assert evaluation.get("target") == (None if data.classes else {"minimum": 0.0, "maximum": 50_000.0})
    assert read.evaluation.headline == read.evaluation.metrics["roc_auc" if data.classes else "r2"]


def test_a_task_that_nobody_knows_is_refused() -> None:
    content = {**sample.content()["evaluation"], "task": "ranking"}

    with pytest.raises(document.DocumentError, match=r"task: found 'ranking': Input should be 'binary', 'multiclass' or 'regression'"):
        document.parse(Evaluation, content, "evaluation.json")


@pytest.mark.parametrize("data", OTHERS, ids=name)
def test_a_page_is_whole_and_in_the_words_of_its_task(data: Data) -> None:
    evaluation, html = task_samples.evaluation(data), drawn(data)
    said, spoken = text(html), labels(html)
    words = wording.of(data.task)

    assert re.findall(r'<section id="(\w+)">', html) == SECTIONS
    for key, metric in evaluation["metrics"].items():
        assert words.metrics[key] in said
        assert interval(metric["value"], metric["low"], metric["high"]) in said
    assert words.problem.lower() in said
    assert not OF_OUTCOMES.search(said + " ".join(spoken))
    assert all(each in said for each in data.classes)
    assert f"{words.title} by slice" in said
    assert len(spoken) == (12 if data.classes else 11)
    assert html == drawn(data)
    assert len(html.encode()) < 250_000


def test_a_page_of_numbers_knows_no_classes_and_no_roc() -> None:
    html = drawn(task_samples.amounts())
    said = text(html) + " ".join(labels(html))

    assert not re.search(r"\bROC\b|probabilit|log-odds|rarer outcome", said)
    assert "0 to 50,000 is accepted" in said
    assert "predicted number is at least 10,000, and positive when the actual one is" in said
    assert "Mean error by group against all rows, in standard deviations of the target: region: north 0.080" in said
    assert "accepted ±0.2" in html
    assert "Mean contribution of each column in the target&#39;s unit" in html


def test_a_page_of_classes_says_which_class_is_taken_for_which() -> None:
    data = task_samples.grades()
    labels_, scores = task_samples.scored(data)
    right = [float((scores[labels_ == place].argmax(axis=1) == place).mean()) for place in range(4)]
    areas = [sklearn.roc_auc_score(labels_ == place, scores[:, place]) for place in range(4)]
    spoken = " ".join(labels(drawn(data)))

    assert "taken for what it is: " + "; ".join(f"{each} {share:.3f}" for each, share in zip(GRADES, right, strict=True)) in spoken
    for each, area in zip(GRADES, areas, strict=True):
        assert float(re.findall(rf"each against all others: .*?{each} (0\.\d+)", spoken)[0]) == pytest.approx(area, abs=0.002)
    assert "its most probable class is low or medium, and positive when its class is in fact" in text(drawn(data))


def test_of_many_classes_those_are_drawn_that_fare_worst() -> None:
    data = task_samples.grades(tuple(f"class {number:02d}" for number in range(40)))
    content, html = task_samples.report(data), drawn(data)
    areas = {each: multiclass.area(curve) for each, curve in content["drawn"]["challenger"]["roc"].items()}
    worst = sorted(areas, key=lambda each: areas[each])
    (curves,) = (label for label in labels(html) if label.startswith("ROC curve of each class"))

    assert re.findall(r"class \d\d", curves) == worst[:5]
    assert html.count("The 5 classes that fare worst, of 40.") == 3
    assert html.count("The 20 classes that fare worst, of 40.") == 2
    assert "35 other classes" in html
    assert len(html.encode()) < 400_000


def test_names_of_classes_are_text_and_nothing_else() -> None:
    data = task_samples.grades(("low", HOSTILE, "high"))
    html = page.render(task_samples.evidence(data), task_samples.report(data))

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert not set(html) & {"\u202e", "\x00"}


@pytest.mark.parametrize("data", OTHERS, ids=name)
def test_a_model_without_a_champion_or_a_class_of_the_holdout_has_a_page(data: Data) -> None:
    """A class that no held-out row has is in no curve."""
    content, evaluation = task_samples.report(data), {**task_samples.evaluation(data), "champion": None}
    del content["drawn"]["champion"]
    if data.classes:
        for curves in ("roc", "precision_recall"):
            del content["drawn"]["challenger"][curves][data.classes[1]]
        content["drawn"]["challenger"]["confusion"][1] = [0] * len(data.classes)
    for row in content["slices"]:
        row |= dict.fromkeys(("champion_figure", "difference", "low", "high"))
    html = page.render(sample.evidence(evaluation=evaluation), content)

    assert "floors alone decide" in html
    assert "champion" not in " ".join(labels(html))


@pytest.mark.parametrize("data", OTHERS, ids=name)
def test_what_was_trained_here_has_the_same_plots(data: Data) -> None:
    here = evaluation_page.render(task_samples.evaluation(data), task_samples.report(data))
    there = drawn(data)
    spoken = set(labels(here))

    assert len(spoken) >= 7
    assert {each.partition(":")[0] for each in spoken} <= {each.partition(":")[0] for each in labels(there)}


def test_a_report_of_the_first_release_is_read_as_the_newest() -> None:
    newest, first = sample.report(), report.read(sample.first_report())
    counts = {"train": {"positive": 4231, "negative": 31937}, "holdout": {"positive": 1058, "negative": 7985}}

    assert first["data"]["split"].pop("outcomes") == counts
    del newest["data"]["split"]["outcomes"], newest["version"], newest["fairness"]["selected"]
    assert first == newest
    assert labels(page.render(sample.evidence(), sample.first_report())) == labels(usual())


@pytest.mark.parametrize("data", OTHERS, ids=name)
def test_a_card_is_of_its_problem_type(data: Data) -> None:
    evidence = task_samples.evidence(data)
    content = json.loads(card.content(evidence, task_samples.report(data), {"eta": "0.1"}))
    groups = {group["name"]: group["metric_data"] for group in content["evaluation_details"][0]["metric_groups"]}
    slices, fairness = ({each["name"]: each["value"] for each in groups[key]} for key in ("slices", "fairness"))
    headline, details = wording.of(data.task).headline, content["additional_information"]["custom_details"]

    assert content["model_overview"]["problem_type"] == {"multiclass": "Multiclass Classification", "regression": "Regression"}[data.task]
    assert {each["name"]: each["value"] for each in groups["metrics"]} == {
        key: pytest.approx(metric.value) for key, metric in evidence.evaluation.metrics.items()
    }
    assert slices[f"region north: {headline}"] == task_samples.report(data)["slices"][0]["figure"]
    assert ("region north: error_difference" in fairness) == (data.task == "regression")
    assert details["task"] == data.task
    assert details.get("classes") == (", ".join(data.classes) or None)
    assert (
        wording.of(data.task).selection(task_samples.report(data)["fairness"])
        in content["additional_information"]["ethical_considerations"]
    )
    assert "positive outcome" not in json.dumps(content)


def test_the_card_of_older_evidence_is_of_two_outcomes() -> None:
    evaluation = {key: value for key, value in sample.content()["evaluation"].items() if key != "task"}
    content = json.loads(card.content(sample.evidence(evaluation=evaluation), sample.first_report(), {}))
    groups = {group["name"]: group["metric_data"] for group in content["evaluation_details"][0]["metric_groups"]}

    assert content["model_overview"]["problem_type"] == "Binary Classification"
    assert "task" not in content["additional_information"]["custom_details"]
    assert "age below 30: roc_auc" in {each["name"] for each in groups["slices"]}


def test_reasons_are_told_in_their_unit() -> None:
    sampled = {"method": "sampled", "mean_error": 0.0125, "largest_error": 0.04}
    told = {
        data.task: evaluation_page.render({**task_samples.evaluation(data), "reasons": sampled}, task_samples.report(data))
        for data in OTHERS
    }

    assert "0.0125 on average and 0.04 at most, in standard deviations of the scores." in told["regression"]
    assert "0.0125 on average and 0.04 at most, in log-odds." in told["multiclass"]


def statistics(data: Data) -> Json:
    """What SageMaker is shown of a model with such data."""
    evaluation = document.parse(Evaluation, task_samples.evaluation(data), "evaluation.json")
    content: Json = json.loads(quality.statistics(evaluation, task_samples.report(data)))
    assert {key: value for key, value in content.items() if not key.endswith("_metrics")} == evaluation.model_dump(mode="json")
    return content


def test_sagemaker_reads_the_quality_of_classes() -> None:
    data = task_samples.grades()
    shown = statistics(data)["multiclass_classification_metrics"]
    actual, scores = task_samples.scored(data)
    said = scores.argmax(axis=1)
    due = {
        "accuracy": sklearn.accuracy_score(actual, said),
        "weighted_recall": sklearn.recall_score(actual, said, average="weighted"),
        "weighted_precision": sklearn.precision_score(actual, said, average="weighted"),
        "weighted_f1": sklearn.f1_score(actual, said, average="weighted"),
    }

    assert {key: each["value"] for key, each in shown.items() if key != "confusion_matrix"} == pytest.approx(due)
    assert shown["confusion_matrix"]["low"]["medium"] == int(((actual == 0) & (said == 1)).sum())
    assert {each["standard_deviation"] for key, each in shown.items() if key != "confusion_matrix"} == {"NaN"}


def test_sagemaker_reads_the_quality_of_numbers() -> None:
    data = task_samples.amounts()
    shown = statistics(data)["regression_metrics"]
    actual, predicted = task_samples.scored(data)
    errors = predicted - actual
    due = {
        "mae": float(np.abs(errors).mean()),
        "mse": float((errors**2).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "r2": sklearn.r2_score(actual, predicted),
    }

    assert {key: each["value"] for key, each in shown.items()} == pytest.approx(due)


def test_sagemaker_reads_the_quality_of_two_outcomes_of_any_release() -> None:
    evaluation = sample.evidence().evaluation
    shown, first = (json.loads(quality.statistics(evaluation, content)) for content in (sample.report(), sample.first_report()))
    group = shown["binary_classification_metrics"]

    assert first == shown
    assert (group["auc"]["value"], group["au_prc"]["value"]) == (0.809346, 0.4613)
    assert len(group["receiver_operating_characteristic_curve"]["true_positive_rates"]) == 200
    assert group["precision_recall_curve"]["recalls"] == sample.report()["drawn"]["challenger"]["precision_recall"]["x"]
