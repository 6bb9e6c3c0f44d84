"""PyTorch's models learn what there is to learn, the same every time, and what is saved of one answers as it does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from network_rows import SPANS, assert_learnt, edges, figure, rows, run
from safetensors.numpy import load_file
from torch import nn

from paved_runtime import scoring
from paved_runtime.frameworks import torch as framework
from paved_runtime.networks.launch import learn
from paved_runtime.networks.settings import Settings
from paved_runtime.networks.target import InUnit
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import TaskName
from paved_runtime.train import TOLERANCE


@pytest.fixture(scope="module", params=framework.TASKS)
def task(request: pytest.FixtureRequest) -> TaskName:
    """Each task in turn."""
    return cast(TaskName, request.param)


@pytest.fixture(scope="module")
def network(task: TaskName) -> nn.Module:
    return framework.train(run(task=task))


@pytest.fixture(scope="module")
def saved(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    framework.save(network, folder)
    return folder


def test_it_ranks_rows_that_it_has_not_seen_by_all_that_tells_the_outcome(task: TaskName, network: nn.Module) -> None:
    assert_learnt(task, partial(framework.predict, network))


def test_the_same_rows_give_the_same_bytes(task: TaskName, saved: Path, tmp_path: Path) -> None:
    framework.save(framework.train(run(task=task)), tmp_path)

    assert sorted(file.name for file in saved.iterdir()) == sorted(framework.FILES)
    for name in framework.FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name
    assert str(Path(__file__).parents[2]).encode() not in (saved / "model.onnx").read_bytes()


def test_what_is_served_is_what_was_trained(task: TaskName, network: nn.Module, saved: Path) -> None:
    matrix = np.concatenate([rows(500, seed=2)[0], edges()])
    trained, served = framework.predict(network, matrix), scoring.load(framework, saved)

    assert np.abs(served(matrix) - trained).max() <= TOLERANCE * SPANS[task]
    assert np.abs(np.concatenate([served(row[None]) for row in matrix]) - trained).max() <= TOLERANCE * SPANS[task]
    assert np.array_equal(framework.predict(framework.load(saved), matrix), served(matrix))
    assert served(matrix[:0]).shape == (0, *trained.shape[1:])


def test_the_weights_beside_the_graph_are_the_networks(network: nn.Module, saved: Path) -> None:
    weights = load_file(saved / framework.WEIGHTS)

    assert {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()} == {
        name: array.tobytes() for name, array in weights.items()
    }


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"rounds": 10}, "'rounds' is none of a network's, which are hidden, dropout"),
        ({"epochs": 0}, "'epochs': found 0"),
        ({"epochs": 1.5}, "'epochs': expected int, found 1.5"),
        ({"learning_rate": "fast"}, "'learning_rate': expected float, found 'fast'"),
        ({"dropout": 1}, "'dropout': found 1.0"),
        ({"hidden": "64;64"}, "'hidden': found '64;64'"),
        ({"hidden": "64,0"}, "'hidden': found '64,0'"),
        ({"direction": 1}, "torch keeps no declared direction, and gates.behaviour.monotone has 'large'"),
    ],
)
def test_what_cannot_be_learnt_with_is_refused(settings: dict[str, float | str], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        framework.train(run(**settings))  # type: ignore[arg-type]


def test_a_rate_that_leads_nowhere_is_said() -> None:
    with pytest.raises(ArithmeticError, match=r"the loss is (nan|inf) after step 11: take a smaller learning_rate"):
        framework.train(run(learning_rate=1e30))


def own(example: TrainingRun) -> nn.Module:
    """A network that a team may write, as docs/networks.md has them."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, example.classes or 1))
    return InUnit(network, example.labels) if example.task == "regression" else network


def narrow(task: TaskName) -> TrainingRun:
    """A run on the two features that are never missing."""
    example = run(1000, task=task)
    return replace(example, matrix=example.matrix[:, :2].copy(), monotone={})


def test_a_network_of_ones_own_learns_and_is_saved_likewise(task: TaskName, tmp_path: Path) -> None:
    example = narrow(task)
    with pytest.raises(ValueError, match="does not say how many features it takes: give it the attribute in_features"):
        framework.save(own(example), tmp_path)
    network = learn(own(example), example, Settings.of(example.hyperparameters))
    framework.save(network, tmp_path)

    scores = framework.predict(network, example.matrix)
    assert figure(example.labels, scores, task) > 0.7
    assert np.abs(scoring.load(framework, tmp_path)(example.matrix) - scores).max() <= TOLERANCE * SPANS[task]


def linear(outputs: int) -> Any:
    """A network of two features that learnt otherwise."""
    return nn.Linear(2, outputs)


SHAPES: list[tuple[TaskName, int, str]] = [
    ("binary", 4, r"\[\d+, 4\] for \d+ rows, its task is 'binary': accepted is \[rows\] or \[rows, 1\]"),
    ("multiclass", 1, r"\[\d+, 1\] for \d+ rows, its task is 'multiclass': accepted is \[rows, 4\]"),
    ("multiclass", 3, r"\[\d+, 3\] for \d+ rows, its task is 'multiclass': accepted is \[rows, 4\]"),
    ("regression", 2, r"\[\d+, 2\] for \d+ rows, its task is 'regression': accepted is \[rows\] or \[rows, 1\]"),
]


@pytest.mark.parametrize(("named", "outputs", "refusal"), SHAPES)
def test_a_network_that_gives_what_its_task_does_not_is_refused_before_it_learns(named: TaskName, outputs: int, refusal: str) -> None:
    with pytest.raises(ValueError, match=f"^the network gives {refusal}$"):
        learn(nn.Linear(2, outputs), narrow(named), Settings())


def test_a_network_that_learnt_otherwise_says_its_task(task: TaskName, tmp_path: Path) -> None:
    network, matrix = linear(4 if task == "multiclass" else 1), np.ones((5, 2), dtype=np.float32)
    logits = network(torch.tensor(matrix)).detach()
    expected = {"binary": torch.sigmoid(logits)[:, 0], "multiclass": torch.softmax(logits, 1), "regression": logits[:, 0]}
    if task != "binary":
        network.task = task
    framework.save(network, tmp_path)

    assert np.allclose(framework.predict(network, matrix), expected[task], atol=1e-6)
    assert np.allclose(scoring.load(framework, tmp_path)(matrix), expected[task], atol=1e-6)


@pytest.mark.parametrize(
    ("named", "refusal"),
    [
        ("multiclass", r"the network gives \[3, 1\] for 3 rows, its task is 'multiclass': accepted is \[rows, classes\]"),
        ("ranking", "attribute task of Linear: found 'ranking'; accepted is one of binary, multiclass, regression"),
    ],
)
def test_a_network_that_says_another_task_than_it_has_is_not_saved(named: str, refusal: str, tmp_path: Path) -> None:
    network = linear(1)
    network.task = named

    with pytest.raises(ValueError, match=f"^{refusal}$"):
        framework.save(network, tmp_path)
    assert not list(tmp_path.iterdir())


def test_numbers_are_learnt_alike_in_every_unit() -> None:
    example = run(task="regression")
    thousandths = framework.predict(framework.train(replace(example, labels=example.labels * 1000)), example.matrix)

    assert np.allclose(thousandths / 1000, framework.predict(framework.train(example), example.matrix), rtol=1e-3)


def test_numbers_that_are_all_the_same_are_learnt_as_they_are() -> None:
    example = run(200, task="regression", epochs=1)
    scores = framework.predict(framework.train(replace(example, labels=np.full(200, 7.7, dtype=np.float32))), example.matrix)

    assert np.abs(scores - 7.7).max() < 3  # where numbers are about 0, they are answered as about 7.7
