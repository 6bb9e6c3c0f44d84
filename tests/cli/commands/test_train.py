"""`road train`: gates and figures beside those of the run before and of what serves; a gate that fails is named first."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.commands import train
from cli.local_training import Training
from cli.problem import Problem
from paved_runtime.page import interval
from paved_runtime.spec import Data
from pipelines.evidence import document, pack, wording
from tests.reference import MODEL
from tests.support import sample, task_samples
from tests.support.ledger import write_entry
from tests.support.road import Road, each, road_in
from tests.support.tree import reference_tree
from tests.support.world import World

GATE, OUT_OF_REACH = "\nroc_auc = 0.75\n", "\nroc_auc = 0.86\n"

LISTS_SETTINGS = """
import os

def train(*arguments: object) -> None:
    raise RuntimeError(f"{sorted(name for name in os.environ if name.startswith('AWS_'))}\\nand no more")
"""


@pytest.fixture(scope="module")
def own_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose model a test may change for a while, with one more that cannot make up data."""
    tree = reference_tree(tmp_path_factory.mktemp("own"))
    shutil.copytree(tree / "model_code" / MODEL, tree / "model_code/churn")
    (tree / "model_code/churn/synthetic.py").unlink()
    return tree


@pytest.fixture(scope="module")
def road(own_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Commands that are typed in it."""
    return road_in(own_tree, tmp_path_factory.mktemp("none") / "cloud")


@pytest.fixture(scope="module")
def first(own_tree: Path, road: Road, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the first run says, of a data set that lies where the person stands."""
    folder = tmp_path_factory.mktemp("data")
    maker = [sys.executable, f"model_code/{MODEL}/synthetic.py", "--rows", "8000", "--seed", "7", "--out", str(folder / "leads.csv")]
    subprocess.run(maker, cwd=own_tree, check=True)
    done = road("train", MODEL, "--data", "leads.csv", "--json", ROAD_CWD=str(folder))
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


@contextmanager
def changed(file: Path, text: str) -> Iterator[None]:
    """Another text in a file, for a while."""
    before = file.read_text()
    file.write_text(text)
    yield
    file.write_text(before)


def test_each_figure_has_its_interval(first: dict[str, Any]) -> None:
    metrics = first["evaluation"]["metrics"]
    assert {"roc_auc", "average_precision", "calibration_error"} <= set(metrics)
    for name, metric in metrics.items():
        assert metric["low"] <= metric["value"] <= metric["high"], name
    assert (first["last"], first["champion"], first["page"]) == (None, None, None)
    assert first["evaluation"]["gates_failed"] == 0


def test_a_gate_that_fails_comes_first_beside_the_run_before_and_in_the_page(own_tree: Path, road: Road, first: dict[str, Any]) -> None:
    toml = own_tree / "model_code" / MODEL / "model.toml"
    with changed(toml, toml.read_text().replace(GATE, OUT_OF_REACH, 1)):
        done = road("train", MODEL, "--plots")

    assert done.returncode == 1
    assert "check leads.csv" in done.stderr  # the data of the run before
    title, *lines = [line for line in done.stdout.splitlines() if line]
    assert title.startswith(f"{MODEL}: 1 gate failed, in ")
    gates = [line.split() for line in lines[lines.index(next(line for line in lines if line.startswith("gate "))) + 1 :]]
    area = f"{first['evaluation']['metrics']['roc_auc']['value']:.4g}"
    assert gates[0] == ["✗", "floor", "ROC", "AUC", area, ">=", "0.86", area]
    assert gates[2][0] == "✓"  # after the advice
    (metric,) = [line for line in lines if line.startswith("ROC AUC ")]
    figures = re.findall(r"0\.\d+ \(0\.\d+.0\.\d+\)", metric)
    assert (len(figures), len(set(figures))) == (2, 1)
    page = (own_tree / ".road/train" / MODEL / "evaluation.html").read_text()
    assert f"plots: .road/train/{MODEL}/evaluation.html" in done.stdout
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(\s*["']?(?!data:|#)""", page)
    assert page.count("<svg") + page.count("data:image") > 3


def test_a_training_that_fails_is_told_in_its_own_words_and_leaves_the_run_before(
    own_tree: Path, road: Road, first: dict[str, Any]
) -> None:
    with changed(own_tree / "model_code" / MODEL / "training.py", LISTS_SETTINGS):
        done = road("train", MODEL, "--json", AWS_PROFILE="mine", AWS_SECRET_ACCESS_KEY="mine")

    line = f"training of {MODEL}: train: [] and no more: read .road/train/{MODEL}/new/log"
    assert (done.returncode, json.loads(done.stdout)) == (1, {"error": line})
    assert done.stderr.splitlines()[-1] == f"road: {line}"
    assert "Traceback" in (own_tree / ".road/train" / MODEL / "new/log").read_text()
    kept = json.loads((Path(first["folder"]) / "model/evaluation.json").read_text())
    assert kept["metrics"] == first["evaluation"]["metrics"]


def test_what_cannot_be_trained_is_one_line(own_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text("age,y\n30,yes\n")
    wrong = [
        (["credit"], 2, f"model credit: there are churn, {MODEL}: name one of them"),
        (["churn"], 1, "data of churn: there is no model_code/churn/synthetic.py, which would make some: give --data FILE.csv"),
        (["churn", "--data", "none.csv"], 1, f"data file {tmp_path}/none.csv: there is no such file: name a CSV file with a header"),
        (["churn", "--data", "short.csv"], 1, f"data file {tmp_path}/short.csv: column 'job': expected it in the header, which is 'age,y'"),
        (["churn", "--data", "none.csv", "--target", "local"], 1, "there is no such file"),
    ]
    ended = each(own_tree, tmp_path / "cloud", [["train", *words] for words, _, _ in wrong], ROAD_CWD=str(tmp_path))
    for done, (words, code, sentence) in zip(ended, wrong, strict=True):
        assert (done.code, done.out) == (code, ""), words
        assert sentence in done.err.splitlines()[-1], words


@pytest.mark.parametrize("data", [task_samples.grades(), task_samples.amounts()], ids=["classes", "amounts"])
def test_metrics_are_called_what_they_are_in_each_task(tmp_path: Path, data: Data) -> None:
    evaluation = task_samples.evaluation(data)
    training = Training(home=tmp_path, evaluation=evaluation, report={}, checks=[], seconds=1.0)
    serves = task_samples.evidence(data).evaluation
    console = Console(width=160)
    with console.capture() as captured:
        console.print(train._metrics(training, None, serves))
    lines = captured.get().splitlines()[1:]

    assert len(lines) == len(evaluation["metrics"])
    for line, (key, name) in zip(lines, wording.of(data.task).metrics.items(), strict=True):
        metric = evaluation["metrics"][key]
        assert line.startswith(name)
        assert line.count(interval(metric["value"], metric["low"], metric["high"])) == 2  # this run, and what serves


def test_what_serves_is_what_the_ledger_names_last(staged: World) -> None:
    assert train.champion(staged.registry()) is None

    evidence = sample.approved()
    pack.write(staged.s3, pack.evidence_uri(staged.artifacts, evidence.model_package_arn), document.canonical(evidence))
    write_entry(staged, "2026-11-20T09:00:00Z", model_package_arn=evidence.model_package_arn)
    assert train.champion(staged.registry()) == evidence.evaluation


def test_a_ledger_that_cannot_be_trusted_names_no_champion(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z", signer=staged.stranger)
    with pytest.raises(Problem, match=f"what serves of {MODEL}: .*signature"):
        train.champion(staged.registry())


def test_a_search_tries_what_model_toml_says_and_trains_what_won(own_tree: Path, road: Road, first: dict[str, Any]) -> None:
    toml = own_tree / "model_code" / MODEL / "model.toml"
    before = toml.read_text()
    ranges = "search.jobs = 3\nsearch.ranges.eta = { minimum = 0.1, maximum = 0.3 }\nsearch.ranges.max_depth = { values = [2, 6] }\n"
    toml.write_text(before.replace("[training]\n", f"[training]\n{ranges}"))
    try:
        facts, shown = (road("train", MODEL, "--search", *more) for more in (("--json",), ()))
    finally:
        toml.write_text(before)

    told = json.loads(facts.stdout)
    best = max(told["search"], key=lambda trial: float(trial["objective"]))["hyperparameters"]
    used = told["evaluation"]["hyperparameters"]
    assert len(told["search"]) == 3
    assert (used["eta"], used["max_depth"]) == (float(best["eta"]), int(best["max_depth"]))
    assert used["rounds"] == first["evaluation"]["hyperparameters"]["rounds"]
    assert re.search(rf"{re.escape(best['eta'])} +{best['max_depth']} +0\.\d{{4}} +won", shown.stdout)


@pytest.mark.usefixtures("first")
def test_a_search_that_model_toml_does_not_have(road: Road) -> None:
    refused = road("train", MODEL, "--search")

    assert refused.returncode == 1
    assert "model.toml has no [training.search]" in refused.stderr
