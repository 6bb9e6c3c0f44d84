"""Candidates on the real data against a real champion: a worse one and an unfair one are refused with the number, an equal one goes on."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Container

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/scores/7"
Json = dict[str, Any]
Candidate = Callable[..., Json]


@pytest.fixture(scope="module")
def champion(container: Container, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """champion.json: a model is trained on the real data, packed, and asked by `score` in a job of its own."""
    trained, asked = tmp_path_factory.mktemp("trained"), tmp_path_factory.mktemp("asked")
    put(real_data, trained / "input/data/data")
    succeed(container(trained, "prepare", "train", "evaluate"))
    put(real_data, asked / "processing/input/data")
    (asked / "processing/input/model").mkdir()
    shutil.make_archive(str(asked / "processing/input/model/model"), "gztar", trained / "model")
    succeed(container(asked, "score", MODEL_PACKAGE_ARN=ARN))
    return asked / "processing/champion/champion.json"


@pytest.fixture(scope="module")
def prepared(container: Container, real_data: Path, champion: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a training job that has prepared the real data with the champion's scores."""
    root = tmp_path_factory.mktemp("prepared")
    put(real_data, root / "input/data/data")
    put(champion, root / "input/data/champion")
    succeed(container(root, "prepare"))
    return root


@pytest.fixture
def candidate(container: Container, prepared: Path, tmp_path: Path) -> Candidate:
    """`candidate(seed="1", …)`: evaluation.json of a challenger that was trained on the same rows with these hyperparameters."""

    def train(**hyperparameters: str) -> Json:
        shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
        (tmp_path / "input/config").mkdir()
        (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(hyperparameters))
        return evaluated(container, tmp_path, "train", "evaluate")

    return train


@pytest.mark.fault("worse model")
def test_a_worse_challenger_is_refused(candidate: Candidate) -> None:
    """Leaves too large to see few customers: above the absolute floor, and worse than what serves."""
    evaluation = candidate(min_child_weight="600")
    overall = next(verdict for verdict in failed(evaluation) if verdict["subject"] == "ROC AUC, challenger minus champion, lower bound")
    difference = evaluation["champion"]["difference"]

    assert {verdict["gate"] for verdict in failed(evaluation)} == {"champion"}
    assert evaluation["metrics"]["roc_auc"]["value"] > 0.78
    assert (overall["comparison"], overall["threshold"]) == (">=", -0.01)
    assert overall["found"] == pytest.approx(difference["low"], rel=1e-5)
    assert difference["low"] < difference["value"] < -0.01
    assert overall["advice"].startswith(f"the challenger is worse by {-difference['value']:.4f}: train a better one")
    assert evaluation["champion"]["model_package_arn"] == ARN


@pytest.mark.fault("worse model")
def test_an_equal_challenger_goes_on(candidate: Candidate) -> None:
    """The same training with another seed: another model, and no better or worse one."""
    evaluation = candidate(seed="1")
    difference = evaluation["champion"]["difference"]

    assert failed(evaluation) == []
    assert evaluation["champion"]["compared"] is True
    assert difference["value"] != 0
    assert -0.01 <= difference["low"] < difference["high"] < 0.02
    judged = [verdict["subject"] for verdict in evaluation["gates"] if verdict["gate"] == "champion" and verdict["passed"]]
    assert len(judged) > 5, "overall, and the slices"


@pytest.mark.fault("unfair model")
def test_an_unfair_challenger_is_refused(container: Container, real_data: Path, champion: Path, tmp_path: Path) -> None:
    """Four in five married customers who signed are entered as if they had not. What learns from that predicts it well, and is unfair."""
    put(champion, tmp_path / "input/data/champion")
    forget(real_data, tmp_path / "input/data/data/data.csv")
    of_data(tmp_path / "input/data/champion" / champion.name, tmp_path / "input/data/data/data.csv")
    evaluation = evaluated(container, tmp_path, "prepare", "train", "evaluate")
    ratio, opportunity = (verdict for verdict in failed(evaluation) if verdict["gate"] == "fairness")

    assert evaluation["metrics"]["roc_auc"]["value"] > evaluation["champion"]["metrics"]["roc_auc"], "by accuracy alone it would go on"
    assert {verdict["gate"] for verdict in failed(evaluation)} == {"fairness", "behaviour"}
    assert (ratio["subject"], ratio["comparison"], ratio["threshold"]) == ("marital married: selection-rate ratio", ">=", 0.2)
    assert ratio["found"] == pytest.approx(0.12, abs=0.04)
    selected, rows = (int(number) for number in ratio["advice"].split(" rows selected")[0].split(" of "))
    assert 0 < selected < rows / 10
    assert "find the columns that stand for the group" in ratio["advice"]
    assert (opportunity["subject"], opportunity["threshold"]) == ("marital married: equal-opportunity difference", 0.4)
    assert opportunity["found"] == pytest.approx(0.49, abs=0.08)
    assert "give the model what tells this group's positive rows" in opportunity["advice"]


def forget(source: Path, file: Path) -> None:
    """The data set with most of the married customers' signatures forgotten; the rows stay in their order."""
    draw = random.Random(4)  # noqa: S311 - repeatable, not secret
    file.parent.mkdir(parents=True)
    with source.open(newline="") as stream, file.open("w", newline="") as made:
        reader = csv.DictReader(stream)
        writer = csv.DictWriter(made, reader.fieldnames or [])
        writer.writeheader()
        for row in reader:
            forgotten = row["marital"] == "married" and draw.random() < 0.8
            writer.writerow(row | ({"y": "no"} if forgotten else {}))


def of_data(champion: Path, data: Path) -> None:
    """The champion's scores as those of another file with the same features: of those alone it makes them."""
    said = {**json.loads(champion.read_text()), "data_sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    champion.write_text(json.dumps(said))


def evaluated(container: Container, root: Path, *commands: str) -> Json:
    """evaluation.json; a gate that fails is no failure of the job."""
    finished = succeed(container(root, *commands))
    evaluation: Json = json.loads((root / "model/evaluation.json").read_text())
    assert f"metric gates_failed={len(failed(evaluation))}\n" in finished.stdout
    assert evaluation["gates_failed"] == len(failed(evaluation))
    return evaluation


def failed(evaluation: Json) -> list[Json]:
    return [verdict for verdict in evaluation["gates"] if verdict["passed"] is False]


def put(source: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(source, folder)


def succeed(finished: Any) -> Any:
    assert finished.returncode == 0, finished.stderr
    return finished
