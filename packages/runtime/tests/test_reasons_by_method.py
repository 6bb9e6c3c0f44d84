"""A model whose framework gives no exact reasons has sampled ones in evaluation and in service, or, where its model.toml says so, none."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bodies import ROW
from container import MODEL, environment, run
from server import ONE, Server

from paved_runtime import artifact, spec
from paved_runtime.golden import REASONS_TOLERANCE
from paved_runtime.protocol import REPORT

FRAMEWORK = '''
"""Logistic regression by a few of Newton's steps, with empty cells as zeros, and a bend that three columns make together."""

import json

import numpy as np

NAME, PACKAGE = "logistic", "numpy"
FILES = ("weights.json",)
TASKS = ("binary",)


def hyperparameters(task):
    return {}


def bent(matrix):
    filled = np.nan_to_num(matrix).astype(np.float64) / (1 + np.abs(np.nan_to_num(matrix)))
    bend = filled[:, [0]] * filled[:, [9]] * filled[:, [13]]
    return np.hstack([np.ones((len(filled), 1)), filled, bend])


def train(run):
    rows, weights = bent(run.matrix), np.zeros(run.matrix.shape[1] + 2)
    for _ in range(8):
        scores = 1 / (1 + np.exp(-rows @ weights))
        hessian = (rows.T * (scores * (1 - scores))) @ rows + np.eye(len(weights))
        weights += np.linalg.solve(hessian, rows.T @ (run.labels - scores) - weights)
    return weights


def save(model, folder):
    (folder / FILES[0]).write_text(json.dumps(model.tolist()))


def load(folder):
    return np.array(json.loads((folder / FILES[0]).read_text()))


def predict(model, matrix):
    return (1 / (1 + np.exp(-bent(matrix) @ model))).astype(np.float32)
'''
Json = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """A finished training, and the folder of models that it is one of."""

    root: Path
    models: Path

    def read(self, name: str) -> Json:
        content: Json = artifact.read_json(self.root / "model" / name)
        return content

    def server(self, **variables: str) -> Server:
        return Server(self.root, MODEL_CODE=str(self.models), **variables)


def models(folder: Path, *lines: str) -> Path:
    """A folder of models: the frozen one with a framework of its own, whose `model.toml` begins with `lines`. Gates ask for little."""
    shutil.copytree(spec.MODELS / MODEL, folder / "model_code" / MODEL)
    home = folder / "model_code" / MODEL
    (home / "framework.py").write_text(FRAMEWORK)
    (home / "training.py").write_text(f"from model_code.{MODEL}.framework import train as train\n")
    text = (home / "model.toml").read_text()
    top, rest = text.split("[data]", 1)
    behaviour, kept = rest.index("[gates.slices]"), rest.index("[gates.load]")
    home.joinpath("model.toml").write_text("\n".join([top, 'framework = "logistic"', *lines, "[data]"]) + rest[:behaviour] + rest[kept:])
    return folder / "model_code"


def job(root: Path, models: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands of the container for the model of another folder of models."""
    argv = [sys.executable, "-m", "paved_runtime", *commands]
    return subprocess.run(argv, env=environment(root, MODEL_CODE=str(models)), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def prepared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a job whose data are prepared: the same for every model here."""
    root = tmp_path_factory.mktemp("prepared")
    (root / "input/data/data").mkdir(parents=True)
    shutil.copy(data, root / "input/data/data/data.csv")
    finished = run(root, "prepare")
    assert finished.returncode == 0, finished.stderr
    return root


@pytest.fixture(scope="module")
def train(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    """`train(lines…)`: a model whose `model.toml` begins with these, trained and evaluated."""

    def train(*lines: str) -> Trained:
        root = tmp_path_factory.mktemp("trained")
        trained = Trained(shutil.copytree(prepared, root / "ml"), models(root, *lines))
        finished = job(trained.root, trained.models, "train", "evaluate")
        assert finished.returncode == 0, finished.stderr
        return trained

    return train


@pytest.fixture(scope="module")
def sampled(train: Callable[..., Trained]) -> Trained:
    return train()


@pytest.fixture(scope="module")
def silent(train: Callable[..., Trained]) -> Trained:
    return train('reasons = "none"')


@pytest.fixture(scope="module")
def server(sampled: Trained) -> Iterator[Server]:
    """It has two workers, so that one cannot know what the other answers."""
    with sampled.server(**{ONE: "2"}) as serving:
        assert serving.first.startswith("serving")
        yield serving


def verdicts(trained: Trained, gate: str) -> list[Json]:
    return [verdict for verdict in trained.read(artifact.EVALUATION)["gates"] if verdict["gate"] == gate]


def explained(server: Server, *rows: Json) -> Json:
    answer = server.client.post("/invocations", json={"instances": rows, "explain": True})
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


def test_evaluation_judges_sampled_reasons_and_says_how_sure_they_are(sampled: Trained) -> None:
    sums, errors = verdicts(sampled, "reason codes")
    said = sampled.read(artifact.EVALUATION)["reasons"]
    importance = artifact.read_json(sampled.root / "output/data" / REPORT)["importance"]

    assert (sums["passed"], errors["passed"], errors["threshold"]) == (True, True, 0.05)
    assert said == {"method": "sampled", "mean_error": errors["found"], "largest_error": said["largest_error"]}
    assert sampled.read(artifact.GOLDEN)["explained"]["tolerance"] == REASONS_TOLERANCE["sampled"]
    assert 0 < said["mean_error"] < said["largest_error"] < 0.2
    assert {weight["column"] for weight in importance} == set(ROW)


def test_an_answer_says_that_its_reasons_are_sampled_and_how_sure_they_are(server: Server) -> None:
    other = {**ROW, "age": 33, "campaign": 9}
    answer = explained(server, ROW, other)

    assert answer["method"] == "sampled"
    for row, prediction in zip((ROW, other), answer["predictions"], strict=True):
        score, reasons = prediction["score"], prediction["reasons"]
        total = answer["base"] + sum(reason["contribution"] for reason in reasons)
        assert total == pytest.approx(math.log(score / (1 - score)), abs=1e-4)
        assert {reason["column"]: reason["value"] for reason in reasons} == row
        assert all(0 <= reason["error"] < 0.2 for reason in reasons)
        assert any(reason["error"] for reason in reasons)


def test_workers_give_a_row_the_same_reasons_beside_whatever_others(server: Server) -> None:
    alone, *others = [explained(server, ROW)["predictions"][0] for _ in range(12)]
    beside = explained(server, {**ROW, "age": 77}, ROW)["predictions"][1]

    assert all(other == alone for other in [*others, beside])


def test_rows_to_explain_are_as_many_as_the_document_says(server: Server) -> None:
    document = server.client.get("/openapi.json").json()["paths"]["/invocations"]["post"]
    batch = document["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]
    answers = document["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    reason = answers[1]["properties"]["predictions"]["items"]["properties"]["reasons"]["items"]
    most = 55
    too_many = server.client.post("/invocations", json={"instances": [ROW] * (most + 1), "explain": True})

    assert batch["properties"]["explain"]["description"] == f"Answer with reasons. At most {most} rows."
    assert set(reason["required"]) == {"column", "value", "contribution", "error"}
    assert len(explained(server, *[ROW] * most)["predictions"]) == most
    assert (too_many.status_code, too_many.json()["error"]) == (413, f"expected at most {most} rows to explain, found {most + 1}")


def test_a_model_without_reasons_is_registered_and_its_evidence_says_so(silent: Trained) -> None:
    (only,) = verdicts(silent, "reason codes")
    golden = silent.read(artifact.GOLDEN)

    assert (only["passed"], only["advice"]) == (None, 'reasons = "none" in model.toml: a request for reasons is refused')
    assert silent.read(artifact.EVALUATION)["reasons"] == {"method": "none", "mean_error": None, "largest_error": None}
    assert artifact.read_json(silent.root / "output/data" / REPORT)["importance"] == []
    assert "explained" not in golden
    assert json.loads(golden["bad_requests"][-1]["body"])["explain"] is True
    assert golden["bad_requests"][-1]["expect"] == 400


def test_a_model_without_reasons_refuses_the_question_and_answers_the_others(silent: Trained) -> None:
    with silent.server() as serving:
        asked = {"instances": [ROW]}
        refused = serving.client.post("/invocations", json=asked | {"explain": True})
        answered = serving.client.post("/invocations", json=asked | {"explain": False})
        document = serving.client.get("/openapi.json").json()["paths"]["/invocations"]["post"]

    assert (refused.status_code, answered.status_code) == (400, 200)
    assert refused.json()["error"] == f"expected no question for reasons, found one: {MODEL} gives none (reasons in its model.toml)"
    assert document["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]["properties"]["explain"]["const"] is False


def test_exact_reasons_that_the_framework_does_not_have_are_refused_before_training(prepared: Path, tmp_path: Path) -> None:
    root, folder = shutil.copytree(prepared, tmp_path / "ml"), models(tmp_path, 'reasons = "exact"')
    checked, finished = job(root, folder, "check", str(folder / MODEL)), job(root, folder, "train")
    refusal = 'reasons: found "exact", framework logistic has none that are; accepted are "sampled" and "none"\n'

    assert (checked.returncode, finished.returncode) == (1, 1)
    assert checked.stdout == f"model_code/{MODEL}/model.toml: {refusal}"
    assert (root / "output/failure").read_text() == f"train: {refusal}"
    assert not (root / "model").exists()
