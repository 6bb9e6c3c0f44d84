"""Every score comes with reasons that add up to it, on the real data and at the edges of what is accepted; others never reach a person."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.tree import HERE
from paved_runtime import spec
from tests.faults.conftest import Container
from tests.reference import MODEL
from tests.support.container import command, variables

pytestmark = pytest.mark.fault("reasons that do not add up")

COLUMNS = spec.load(MODEL).data.columns
Row = dict[str, Any]
Ask = Callable[[list[Row]], Any]


@pytest.fixture(scope="module")
def trained(container: Container, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a training on the real data, before it is evaluated."""
    root = tmp_path_factory.mktemp("trained")
    (root / "input/data/data").mkdir(parents=True)
    shutil.copy(real_data, root / "input/data/data")
    done = container(root, "prepare", "train")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def evaluated(container: Container, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of the same training, evaluated."""
    root = tmp_path_factory.mktemp("evaluated")
    shutil.copytree(trained, root, dirs_exist_ok=True)
    done = container(root, "evaluate")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def ask(evaluated: Path) -> Iterator[Ask]:
    """`ask(rows)`: the served model's answer, with reasons."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = variables(evaluated, SAGEMAKER_BIND_TO_PORT=str(port))

    def asked(rows: list[Row]) -> Any:
        body = json.dumps({"instances": rows, "explain": True}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    with subprocess.Popen(command("serve"), cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == f"serving {MODEL} on port {port}\n"
            yield asked
        finally:
            server.terminate()


def customers(file: Path, every: int) -> list[Row]:
    """One row in `every` of the real data, as a request has them."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[::every]
    return [{name: row[name] if column.type == "category" else int(row[name]) for name, column in COLUMNS.items()} for row in rows]


def ends(column: spec.Column) -> list[Any]:
    if isinstance(column, spec.Category):
        return list(column.values)
    assert isinstance(column, spec.Integer)
    return [column.minimum, column.maximum]


def check(rows: list[Row], answer: Any) -> None:
    """Each row's reasons add up to its score, name each column once with the row's own value, and begin with the weightiest."""
    assert len(answer["predictions"]) == len(rows)
    for row, prediction in zip(rows, answer["predictions"], strict=True):
        score, reasons = prediction["score"], prediction["reasons"]
        explained = answer["base"] + math.fsum(reason["contribution"] for reason in reasons)
        assert 1 / (1 + math.exp(-explained)) == pytest.approx(score, abs=1e-6)
        assert explained == pytest.approx(math.log(score / (1 - score)), abs=1e-4)
        assert len(reasons) == len(row)
        assert {reason["column"]: reason["value"] for reason in reasons} == row
        weights = [abs(reason["contribution"]) for reason in reasons]
        assert weights == sorted(weights, reverse=True)


def test_reasons_add_up_for_real_customers(ask: Ask, real_data: Path) -> None:
    rows = customers(real_data, every=60)
    answer = ask(rows)

    check(rows, answer)
    assert len(rows) > 700
    assert len({prediction["reasons"][0]["column"] for prediction in answer["predictions"]}) > 3  # customers differ in what matters most


def test_reasons_add_up_at_the_edges_of_every_column(ask: Ask, real_data: Path) -> None:
    """The first and last customer with each column at each of its ends, every category, and all columns at their ends together."""
    first, *_, last = customers(real_data, every=1)
    rows = [{**row, name: end} for row in (first, last) for name, column in COLUMNS.items() for end in ends(column)]
    rows += [{name: ends(column)[end] for name, column in COLUMNS.items()} for end in (0, -1)]

    check(rows, ask(rows))


def other_reasons(model: Path) -> None:
    """Give the booster that explains another starting point than the model that scores."""
    booster = json.loads((model / "model.json").read_text())
    learned = booster["learner"]["learner_model_param"]
    learned["base_score"] = "[5E-1]" if learned["base_score"].startswith("[") else "5E-1"
    (model / "model.json").write_text(json.dumps(booster))
    metadata = json.loads((model / "metadata.json").read_text())
    metadata["files"]["model.json"] = hashlib.sha256((model / "model.json").read_bytes()).hexdigest()  # whoever made it could say so
    (model / "metadata.json").write_text(json.dumps(metadata))


def test_reasons_of_another_model_are_refused_by_a_gate(container: Container, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    other_reasons(tmp_path / "model")
    done = container(tmp_path, "evaluate")
    evaluation = json.loads((tmp_path / "model/evaluation.json").read_text())
    (failed,) = [verdict for verdict in evaluation["gates"] if verdict["passed"] is False]

    assert done.returncode == 0, done.stderr
    assert failed["gate"] == "reason codes"
    assert failed["found"] > 1
    assert "model.json and model.onnx must come from one training" in failed["advice"]


def test_reasons_swapped_afterwards_are_never_served(container: Container, evaluated: Path, tmp_path: Path) -> None:
    shutil.copytree(evaluated, tmp_path, dirs_exist_ok=True)
    other_reasons(tmp_path / "model")
    done = container(tmp_path, "serve")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("serve: the golden request's reasons differ from evaluation's, by ")
