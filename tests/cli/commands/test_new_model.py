"""`road new-model`: what it writes takes the road as it is, and a data set that no model can come of is refused in one line."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from cli import datasets, profiles
from cli.commands import new_model
from cli.problem import Problem
from paved_runtime import spec
from tests.reference import CONFIG, MODEL
from tests.support import data_sets
from tests.support.data_sets import SHAPES, Row
from tests.support.road import Done, Road, each, road_in
from tests.support.tree import reference_tree

LEAKS = "it tells the outcome by itself (ROC AUC 1.0000): known only afterwards?"
EXCLUDED = {
    "many_categories": {"campaign"},
    "odd_columns": {"customer_id", "uuid", "seen", "booked", "currency", "closing fee"},
}
OF = {"numeric_only": "regression", "quoted": "multiclass"}  # the tasks of the shapes of other targets than two outcomes
FILES = {"model.toml", "features.py", "training.py", "synthetic.py", "Dockerfile", "requirements.in", "requirements.lock"}


@pytest.fixture(scope="module")
def own_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree that gets new models: each test's has a name of its own."""
    tree = reference_tree(tmp_path_factory.mktemp("own"))
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    return tree


@pytest.fixture(scope="module")
def road(own_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Commands that are typed in it."""
    return road_in(own_tree, tmp_path_factory.mktemp("none") / "cloud", seconds=600)


def table(file: Path, **columns: list[object]) -> Path:
    """Columns, and a target `y` that is positive in every second row, as CSV."""
    count = len(next(iter(columns.values())))
    outcomes = ["yes" if row % 2 else "no" for row in range(count)]
    rows: list[Row] = [dict(zip([*columns, "y"], cells, strict=True)) for cells in zip(*columns.values(), outcomes, strict=True)]
    return data_sets.write(file, rows)


@pytest.mark.slow
def test_a_model_is_written_from_a_table(own_tree: Path, road: Road, tmp_path: Path) -> None:
    file = data_sets.write(tmp_path / "customers.csv", data_sets.small(1500))

    done = road("new-model", "small", "--data", "customers.csv", "--target", "churned", ROAD_CWD=str(tmp_path))
    assert done.returncode == 0, done.stderr

    model, folder = spec.load("small", own_tree / "model_code"), own_tree / "model_code/small"
    assert {path.name for path in folder.iterdir()} >= FILES
    assert datasets.check(file, model).rows == 1500
    assert (model.data.target, model.data.positive, model.owner) == ("churned", "yes", CONFIG.owners[0])
    assert 0.6 < (model.gates.roc_auc or 0) < 0.9
    linted = subprocess.run(["ruff", "check", "model_code/small"], cwd=own_tree, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout
    for sentence in ("kept balance number from ", "Only you can decide", "purpose, owner what", "exclude which", "gates.fairness between"):
        assert sentence in " ".join(done.stdout.split())
    assert not (own_tree / ".road/new-model/small").exists()


COVERED = [  # each framework that the other tests do not have, and each task but that of two outcomes, which conformance tests have
    ("lightgbm", "multiclass"),
    ("sklearn", "regression"),
    ("torch", "multiclass"),
    ("keras", "regression"),
]


def test_every_framework_is_covered() -> None:
    assert {framework for framework, _ in COVERED} == {*spec.FRAMEWORKS} - {"xgboost"}


@pytest.mark.slow
@pytest.mark.parametrize(("framework", "task"), COVERED)
def test_a_model_of_each_framework_is_checked_and_trained_unedited(
    own_tree: Path, road: Road, tmp_path: Path, framework: str, task: str
) -> None:
    rows, target = (data_sets.graded(), "offer") if task == "multiclass" else (data_sets.spent(), "spent")
    data, name = data_sets.write(tmp_path / "customers.csv", rows), f"with_{framework}"

    for command in (
        ("new-model", name, "--data", str(data), "--target", target, "--framework", framework),
        ("check", "--model", name),
        ("train", name, "--data", str(data)),
    ):
        done = road(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    evaluation = json.loads((own_tree / ".road/train" / name / "ml/model/evaluation.json").read_text())
    assert (evaluation["framework"]["name"], evaluation["task"], evaluation["gates_failed"]) == (framework, task, 0)


def test_a_framework_that_does_not_learn_the_task_is_refused(tmp_path: Path) -> None:
    file = data_sets.write(tmp_path / "data.csv", data_sets.spent(100))
    profile = profiles.read(file, target="spent")
    learnt: Mapping[str, Sequence[spec.TaskName]] = {"torch": ("binary", "multiclass"), "xgboost": ("binary", "regression")}

    new_model.learns("xgboost", profile, learnt)
    with pytest.raises(
        Problem, match=r"^--framework torch: it learns binary, multiclass, and target 'spent' is one for regression: choose"
    ):
        new_model.learns("torch", profile, learnt)


def refused(done: Done) -> str:
    """The one line of a refusal."""
    assert (done.code > 0, done.out) == (True, "")
    (line,) = [line for line in done.err.splitlines() if not line.startswith(("ok ", "failed "))]
    return line


def test_what_no_model_can_come_of_is_refused_in_one_line(own_tree: Path, tmp_path: Path) -> None:
    draw, rows = random.Random(1), 200  # noqa: S311 - repeatable, not secret
    known: list[object] = [round(draw.gauss(0, 1), 3) for _ in range(rows)]
    files: Mapping[str, Path] = {
        "good": table(tmp_path / "good.csv", a=known),
        "identifier": table(tmp_path / "identifier.csv", customer_id=[1000 + row for row in range(rows)]),
        "date": table(tmp_path / "date.csv", day=[f"{10 + row % 20}.11.2026" for row in range(rows)]),
        "constant": table(tmp_path / "constant.csv", currency=["EUR"] * rows),
        "text": table(tmp_path / "text.csv", note=[f"call-{row}" for row in range(rows)]),
        "leak": table(tmp_path / "leak.csv", fee=[row % 2 * 10 + draw.randint(0, 9) / 10 for row in range(rows)]),
        "few": table(tmp_path / "few.csv", a=known[:20]),
        "amounts": table(tmp_path / "amounts.csv", a=known, z=known),
    }
    learn = "no column is left to learn from"
    wrong: list[tuple[list[str], str]] = [
        (["Small", "--data", "good"], "model Small: accepted are up to 32 lower-case letters, digits and underscores"),
        (["train", "--data", "good"], "and none of approval, build,"),
        (["m_", "--data", "good"], "model m_: model_code/m_: the name ends in an underscore"),
        (["m" * 32, "--data", "good"], "shorter"),
        ([f"{MODEL}_retraining", "--data", "good"], f"which is that of model_code/{MODEL}, too"),
        ([MODEL, "--data", "good"], f"model_code/{MODEL}: it is there already"),
        (["m", "--data", "none"], "there is no such file"),
        (["m", "--data", "good", "--target", "z"], "column 'z': "),
        (["m", "--data", "good", "--positive", "Yes"], "--positive Yes: target 'y' of "),
        (["m", "--data", "amounts", "--target", "z", "--positive", "1"], "is that of regression, which has none: leave it out"),
        (["m", "--data", "good", "--task", "regression"], "'no' is no number: choose a target of numbers, or leave --task regression out"),
        (["m", "--data", "good", "--exclude", "b"], "column 'b': "),
        (["m", "--data", "good", "--owner", "jo"], "model m: model_code/m/model.toml: owner: found 'jo'"),
        (["m", "--data", "good", "--purpose", "Scores."], "model m: model_code/m/model.toml: purpose: found 'Scores.'"),
        (["m", "--data", "good", "--serving", "serverless"], "serving.staging.serverless: found it in account "),
        (["m", "--data", "identifier"], f"{learn}: customer_id: another value in every row: an identifier"),
        (["m", "--data", "date"], f"{learn}: day: it holds dates"),
        (["m", "--data", "constant"], f"{learn}: currency: it holds one value only"),
        (["m", "--data", "text"], f"{learn}: note: another text in every row: an identifier"),
        (["m", "--data", "leak"], f"{learn}: fee: {LEAKS}"),
        (
            ["m", "--data", "few"],
            "expected at least 25 rows of each outcome, found 10 of the rarest one: deliver more rows of that outcome",
        ),
    ]
    typed = [[str(files.get(word, word)) for word in arguments] for arguments, _ in wrong]
    models = sorted((own_tree / "model_code").iterdir())

    ended = each(
        own_tree, tmp_path / "cloud", [["new-model", *words, *([] if "--target" in words else ["--target", "y"])] for words in typed]
    )

    for done, (arguments, sentence) in zip(ended, wrong, strict=True):
        assert sentence in refused(done), arguments
    assert sorted((own_tree / "model_code").iterdir()) == models


@pytest.mark.slow
@pytest.mark.parametrize("shape", list(SHAPES))
def test_what_it_writes_takes_the_road_unedited(road: Road, tmp_path: Path, shape: str) -> None:
    make, target = SHAPES[shape]
    name, file = f"a_{shape}", data_sets.write(tmp_path / "data.csv", make())

    written = road("new-model", name, "--data", str(file), "--target", target, "--json")
    assert written.returncode == 0, written.stderr
    facts = json.loads(written.stdout)

    assert set(facts["excluded"]) == EXCLUDED.get(shape, set())
    assert facts["task"] == OF.get(shape, "binary")
    for command in (["check", "--model", name], ["train", name], ["train", name, "--data", str(file)]):
        done = road(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
