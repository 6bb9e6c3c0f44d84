"""The evidence page: says all of it, says it the same way each time, and lets nobody else write on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from paved_runtime.page import figure, legible
from pipelines.evidence import evaluation_page, page, wording
from pipelines.evidence.document import Evidence, Search, Trial
from tests.support import sample
from tests.support.pages import HOSTILE, SECTIONS, approved, hostile, usual

ROOT = Path(__file__).parents[3]
LARGEST = 400_000  # bytes


@dataclass
class Read(HTMLParser):
    """What a page is made of: its elements, and the text between them."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        """Every value of an attribute."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def read(html: str) -> Read:
    found = Read()
    found.feed(html)
    return found


def test_the_same_evidence_is_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nxtick.labelsize: 30\nfont.family: serif\n")
    program = "from tests.support import pages; import sys; sys.stdout.write(pages.usual())"
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C", "MATPLOTLIBRC": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, check=True)

    assert done.stdout.decode() == usual()


def test_nothing_is_loaded_from_elsewhere() -> None:
    found = read(usual())

    assert not found.tags & {"script", "img", "iframe", "object", "embed", "audio", "video", "base", "form"}
    assert all(
        address.startswith(("#", "data:")) for name in ("href", "src", "xlink:href", "action", "srcset") for address in found.all(name)
    )
    assert "url(http" not in usual()
    assert "@import" not in usual()
    assert found.all("content")[1] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_every_verdict_is_shown_with_what_was_found_what_is_accepted_and_what_to_do() -> None:
    verdicts = [*sample.gates(), *sample.staging()["gates"]]
    text = read(usual()).text

    for verdict in verdicts:
        assert verdict["subject"] in text
        assert verdict["advice"] in text
        assert figure(verdict["found"]) in text
        assert page.accepted(verdict) in text
    assert usual().count('class="mark yes"') >= sum(verdict["passed"] is True for verdict in verdicts)


def test_everything_that_the_evidence_binds_is_on_the_page() -> None:
    evidence = sample.approved()
    assert evidence.approval is not None
    text = read(approved()).text

    bound = [evidence.commit.id, evidence.commit.author, evidence.commit.message, evidence.data.sha256, evidence.data.uri]
    bound += [evidence.image.digest, evidence.image.sbom_sha256, evidence.training.definition_sha256, evidence.training.execution_arn]
    bound += [evidence.artifact.sha256, evidence.report.sha256, evidence.model_package_arn, evidence.delivery.execution]
    bound += [evidence.approval.by, evidence.approval.reason, evidence.approval.evidence_sha256, evidence.owner, evidence.purpose]
    assert [fact for fact in bound if fact not in text] == []
    assert "21 November 2026, 09:12 UTC" in text
    assert "runtime 0.1.0" in text
    assert "learnt with xgboost 3.2.0" in text


def older() -> dict[str, Any]:
    """The evaluation of a runtime that told neither its version, nor intervals, nor what the champion was trained on."""
    evaluation: dict[str, Any] = sample.content()["evaluation"]
    del evaluation["runtime"], evaluation["framework"], evaluation["champion"]["trained_rows"]
    return {**evaluation, "metrics": {name: {"value": metric["value"]} for name, metric in evaluation["metrics"].items()}}


def test_older_evidence_has_a_page() -> None:
    text = read(page.render(sample.evidence(evaluation=older()), sample.report())).text

    assert "runtime" not in text
    assert "learnt with" not in text
    assert "trained on" not in text.partition("Ranking")[2]
    assert "0.809 (" not in text
    assert text.count("0.8093") >= 3


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ({"method": "exact", "mean_error": None, "largest_error": None}, "Reasons of scores are exact."),
        (
            {"method": "sampled", "mean_error": 0.0123, "largest_error": 0.0456},
            "errors are 0.0123 on average and 0.0456 at most",
        ),
        ({"method": "none", "mean_error": None, "largest_error": None}, "This model gives no reasons of its scores."),
    ],
)
def test_the_page_says_how_scores_are_explained(reasons: dict[str, Any], told: str) -> None:
    evaluation = {**sample.content()["evaluation"], "reasons": reasons}
    behaviour = read(page.render(sample.evidence(evaluation=evaluation), sample.report() | {"importance": []})).text
    trained_here = evaluation_page.render(evaluation, {**sample.report(), "importance": []})

    assert told in behaviour.partition("Behaviour")[2]
    assert told in trained_here
    assert "What moves the score" not in behaviour + trained_here


def test_each_metric_is_shown_with_its_interval() -> None:
    text = read(usual()).text

    assert text.count("0.809 (0.794\N{EN DASH}0.825)") == 2
    for shown in ("0.461 (0.434\N{EN DASH}0.489)", "0.079 (0.077\N{EN DASH}0.082)", "0.009 (0.000\N{EN DASH}0.013)"):
        assert shown in text


@pytest.mark.parametrize(
    ("champion", "told"),
    [
        ({"trained_rows": 1212}, "On the same held-out rows, without 1,212 that the champion was trained on. With 95 % confidence"),
        ({"trained_rows": 0}, "On the same held-out rows. With 95 % confidence"),
        ({"trained_rows": None, "why": "it does not know its rows"}, "(\N{MINUS SIGN}0.0021 to +0.0181) it does not know its rows"),
    ],
)
def test_what_is_to_be_known_of_the_comparison_is_told(champion: dict[str, Any], told: str) -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["champion"] |= champion

    assert told in read(page.render(sample.evidence(evaluation=evaluation), sample.report())).text


def failed(**changes: Any) -> Evidence:
    evaluation = sample.content()["evaluation"]
    evaluation["gates"][1] |= {"passed": False, "found": 0.61, "advice": "train a better one"}
    return sample.evidence(evaluation={**evaluation, "gates_failed": 1}).model_copy(update=changes)


@pytest.mark.parametrize(
    ("html", "says"),
    [
        (usual, "Waits for a person's decision"),
        (approved, "Approved for production"),
        (lambda: page.render(failed(), {"version": 1}), "1 verdict failed"),
        (lambda: page.render(failed(approval=sample.approved().approval), {"version": 1}), "1 verdict failed"),
    ],
)
def test_the_first_thing_said_is_where_the_version_stands(html: Callable[[], str], says: str) -> None:
    text = read(html()).text
    states = ("Waits for a person's decision", "Approved for production", "verdict failed")

    assert says in text
    assert sum(state in text for state in states) == 1
    assert text.index(says) < text.index("15 gates")


def test_what_a_person_is_asked_stands_at_the_top_with_what_to_look_at() -> None:
    content = sample.content()["evaluation"]
    question = sample.verdict("plausibility", "ROC AUC", 0.93, "<=", 0.87, passed=None, advice="ask when duration is filled")
    text = read(page.render(sample.evidence(evaluation={**content, "gates": [*content["gates"], question]}), {"version": 1})).text

    assert text.index("Waits for a person's decision") < text.index("ask when duration is filled") < text.index("15 gates")
    assert "left to a person" in text
    assert "left to a person" not in read(usual()).text


def test_a_failed_verdict_is_never_folded_away() -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["gates"] += [sample.verdict("slices", f"slice {i}", 0.4, passed=False, threshold=0.6, advice="look") for i in range(20)]
    (gate,) = (g for g in page._gates(evaluation["gates"], wording.BINARY) if g.name == "slices")

    assert [verdict["passed"] for verdict in gate.shown] == [False] * 20
    assert not [verdict for verdict in gate.folded if verdict["passed"] is False]
    assert len(gate.shown) + len(gate.folded) == len(gate.verdicts)


def test_parts_that_are_absent_leave_a_word_and_no_hole() -> None:
    lean = {**sample.report(), "fairness": None, "slices": [], "behaviour": [], "data": {**sample.data(), "change": None}}
    unmeasured = (
        "Fairness is not measured: model.toml names no groups",
        "model.toml names no slices",
        "model.toml declares no behaviour",
        "There is no champion's training data to compare with",
    )
    for report, plots, says in (
        (lean, 6, unmeasured),
        ({"version": 1}, 1, (*unmeasured, "The report has no curves", "The report has no reliability curve")),
    ):
        html = page.render(sample.evidence(), report)
        found = read(html)

        assert [word for word in says if word not in found.text] == []
        assert html.count('class="plot"') == plots
        assert [attributes["id"] for tag, attributes in found.elements if tag == "section"] == SECTIONS


def test_data_that_are_the_same_as_before_need_no_chart() -> None:
    still = [{"column": name, "psi": 0.0} for name in sample.COLUMNS]
    html = page.render(sample.evidence(), {"version": 1, "data": {**sample.data(), "change": still}})

    assert "No column has moved against the champion's training data" in html
    assert html.count('class="plot"') == 1


def test_without_a_champion_the_page_says_that_floors_alone_decide() -> None:
    report = sample.report()
    report["drawn"].pop("champion")
    for row in report["slices"]:
        row |= dict.fromkeys(("champion_figure", "difference", "low", "high"))
    evaluation = {**sample.content()["evaluation"], "champion": None}

    html = page.render(sample.evidence(evaluation=evaluation), report)

    assert "there is none yet: floors alone decide" in html
    assert '<th class="number">champion' not in html
    assert "champion" not in "".join(re.findall(r'<svg class="plot".*?</svg>', html, re.DOTALL)).replace("--champion", "")
    assert "Difference to the champion" not in html


def test_a_champion_that_was_not_compared_is_told_with_the_reason() -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["champion"] |= {
        "compared": False,
        "why": "gates.champion.compare is false",
        "difference": None,
        "score_shift": None,
        "metrics": {"roc_auc": None},
    }

    assert "not compared: gates.champion.compare is false" in read(page.render(sample.evidence(evaluation=evaluation), {"version": 1})).text


def test_hundreds_of_slices_stay_readable_and_small() -> None:
    report, evaluation = sample.report(), sample.content()["evaluation"]
    report["slices"] = [{**report["slices"][i % 15], "group": f"{i:03d}"} for i in range(300)]
    names = [f"postcode {i:03d}: ROC AUC" for i in range(300)]
    evaluation["gates"] += [sample.verdict("slices", name, 0.8123, threshold=0.6) for name in names]
    evaluation["gates"] += [sample.verdict("champion", f"{name}, upper bound", 0.0012, threshold=-0.03) for name in names]

    html = page.render(sample.evidence(evaluation=evaluation), report)

    assert len(html.encode()) < LARGEST
    assert "The 30 that fare worst, of 300" in html
    assert all(name in html for name in names)
    assert len(usual().encode()) < LARGEST / 2


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    """Every text of the report, and every one of the evidence that its schema leaves free."""
    content = sample.content()
    content |= {"model": HOSTILE, "purpose": HOSTILE, "owner": HOSTILE, "delivery": hostile(content["delivery"])}
    content["commit"] |= {"message": HOSTILE, "author": HOSTILE, "date": HOSTILE}
    for verdict in (*content["evaluation"]["gates"], *content["staging"]["gates"]):
        verdict |= {"gate": HOSTILE, "subject": HOSTILE, "advice": HOSTILE, "found": HOSTILE, "threshold": HOSTILE}
    content["staging"] |= {"endpoint": HOSTILE}
    content["evaluation"]["metrics"] |= {HOSTILE: {"value": 0.5}}
    approval = sample.approved().approval
    assert approval is not None
    content["approval"] = {**approval.model_dump(), "by": HOSTILE, "reason": HOSTILE, "execution": HOSTILE}
    report = hostile(sample.report())
    report["data"]["columns"] = {HOSTILE: {"type": "category", "counts": {HOSTILE: 3}, "missing": 0}}

    html = page.render(sample.evidence(**content), report)
    found, clean = read(html), read(usual())

    assert found.tags <= clean.tags
    assert {name for _, attributes in found.elements for name in attributes} <= {name for _, a in clean.elements for name in a}
    assert set(found.all("href")) <= set(clean.all("href"))
    assert legible(HOSTILE) in found.text
    assert "{{ 7*7 }}" in found.text
    assert not set(html) & {"\u202e", "\x00"}


def test_plots_take_the_pages_colours_and_speak_to_those_who_do_not_see_them() -> None:
    found = read(usual())
    plots = [attributes for tag, attributes in found.elements if tag == "svg" and attributes.get("class") == "plot"]
    drawn = "".join(re.findall(r'<svg class="plot".*?</svg>', usual(), re.DOTALL))
    ids = found.all("id")

    assert len(plots) == 10
    assert all(plot["role"] == "img" and len(plot["aria-label"]) > 20 for plot in plots)
    assert re.findall(r"#[0-9a-fA-F]{6}\b", drawn) == []
    assert set(re.findall(r"var\(--(\w+)\)", drawn)) <= set(re.findall(r"--(\w+):", usual()))
    assert len(ids) == len(set(ids))
    assert {reference[1:] for reference in found.all("href") if reference[1:]} <= {*ids, "ata:,"}


def test_what_was_looked_up_is_told_by_group_and_ingestion() -> None:
    written = page.render(sample.looked_up(), sample.report())
    read = Read()
    read.feed(written)

    row = re.search(r"<tr><th scope=\"row\">[^\n]*20261129T0000Z-abcdef01.*?</tr>", written)
    assert row
    assert ">1,200<" in row[0]
    assert [sha256 in row[0] for sha256 in ("a" * 64, "b" * 64, "c" * 64, "d" * 64, f"{sample.COMMIT}+")] == [True] * 5
    assert re.findall(r"put by applications</dt><dd>([\d,]+)", written) == ["34", "1,234"]
    assert "<b>visits</b>" in read.text
    assert "Looked up in" not in page.render(sample.evidence(), sample.report())


HURT = "AlgorithmError: <b>eta</b>"


def searched() -> Evidence:
    """Evidence of a version whose hyperparameters were searched for, by three trials of which one failed."""
    return sample.evidence().model_copy(
        update={
            "search": Search(
                tuning_job="arn:aws:sagemaker:eu-west-1:123456789012:hyper-parameter-tuning-job/run-Search-1",
                strategy="Random",
                objective="validation_roc_auc",
                goal="Maximize",
                best="trial-2",
                trials=[
                    Trial(job="trial-1", hyperparameters={"eta": "0.11"}, objective=0.7012, status="Completed", reason=""),
                    Trial(job="trial-2", hyperparameters={"eta": "0.22"}, objective=0.7534, status="Completed", reason=""),
                    Trial(job="trial-3", hyperparameters={"eta": "0.33"}, objective=None, status="Failed", reason=HURT),
                ],
            )
        }
    )


def test_a_search_is_told_with_every_trial_and_drawn() -> None:
    written = page.render(searched(), sample.report())
    read = Read()
    read.feed(written)
    section = written.partition('<section id="search">')[2].partition("</section>")[0]

    assert 'href="#search"' in written
    assert "3 trials" in section
    assert "Random" in section
    assert section.count("<tr><th scope") == 3
    assert re.search(r"eta 0\.22.*?0\.7534.*?<b>won</b>", section, re.DOTALL)
    assert "ROC AUC on validation rows by trial: 1 0.701; 2 (won) 0.753" in section
    assert HURT in read.text
    assert written == page.render(searched(), sample.report())


def test_evidence_without_a_search_has_no_such_section() -> None:
    assert 'id="search"' not in usual()


SPLIT = sample.data()["split"]


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (SPLIT, "rows at random, 20% of each outcome"),
        (SPLIT | {"by": "group", "groups": {"train": 1718, "holdout": 412}}, "whole groups: 412 of 2130"),
        (
            SPLIT
            | {
                "by": "time",
                "dates": {"train": ["2024-01-01", "2026-04-30"], "holdout": ["2026-05-01", "2026-11-30"]},
                "rows": {"train": 100, "holdout": 30, "left_out": 7},
            },
            "the newest rows, 2026-05-01 to 2026-11-30; training has those up to 2026-04-30; 7 older rows of the same groups left out",
        ),
    ],
)
def test_it_says_how_rows_were_held_out(split: dict[str, Any], words: str) -> None:
    content = sample.report()
    html = page.render(sample.approved(), content | {"data": content["data"] | {"split": split}})

    assert words in read(html).text
    assert "held-out rows equal to a training row" in read(html).text


def test_a_report_of_an_older_runtime_says_nothing_of_it() -> None:
    content = sample.report()
    older = {name: value for name, value in content["data"].items() if name != "split"}

    assert "what is held out" not in read(page.render(sample.approved(), content | {"data": older})).text


def test_the_days_of_a_date_and_the_values_of_a_boolean_are_written_out() -> None:
    content = sample.report()
    columns = {
        "opened": {"type": "date", "edges": [19723.0, 20787.0], "counts": [5, 5, 5], "missing": 0},
        "active": {"type": "boolean", "counts": {"false": 7, "true": 8}, "missing": 0},
    }
    text = read(page.render(sample.approved(), content | {"data": content["data"] | {"columns": columns}})).text

    assert "3 bins, cut from 2024-01-01 to 2026-11-30" in text
    assert "true 8, false 7" in text
