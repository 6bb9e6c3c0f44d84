"""PyTorch's models learn what there is to learn, the same every time, and what is saved of one answers as it does."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from network_rows import assert_learnt, edges, rows, run
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime import scoring
from paved_runtime.frameworks import torch as framework
from paved_runtime.networks.launch import learn
from paved_runtime.networks.settings import Settings
from paved_runtime.train import TOLERANCE


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return framework.train(run())


@pytest.fixture(scope="module")
def saved(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    framework.save(network, folder)
    return folder


def test_it_ranks_rows_that_it_has_not_seen_by_all_that_tells_the_outcome(network: torch.nn.Module) -> None:
    assert_learnt(partial(framework.predict, network))


def test_the_same_rows_give_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    framework.save(framework.train(run()), tmp_path)

    assert sorted(file.name for file in saved.iterdir()) == sorted(framework.FILES)
    for name in framework.FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name
    assert str(Path(__file__).parents[2]).encode() not in (saved / "model.onnx").read_bytes()


def test_what_is_served_is_what_was_trained(network: torch.nn.Module, saved: Path) -> None:
    matrix = np.concatenate([rows(500, seed=2)[0], edges()])
    trained, served = framework.predict(network, matrix), scoring.load(framework, saved)

    assert np.abs(served(matrix) - trained).max() <= TOLERANCE
    assert np.abs(np.concatenate([served(row[None]) for row in matrix]) - trained).max() <= TOLERANCE
    assert np.array_equal(framework.predict(framework.load(saved), matrix), served(matrix))
    assert served(matrix[:0]).shape == (0,)


def test_the_weights_beside_the_graph_are_the_networks(network: torch.nn.Module, saved: Path) -> None:
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


def test_a_network_of_ones_own_learns_and_is_saved_likewise(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    matrix, labels = rows(1000)
    learnt = run()
    learnt = type(learnt)(matrix=matrix[:, :2].copy(), labels=labels, hyperparameters=learnt.hyperparameters, monotone={})
    with pytest.raises(ValueError, match="Sequential does not say how many features it takes: give it the attribute in_features"):
        framework.save(own, tmp_path)
    own = learn(own, learnt, Settings.of(learnt.hyperparameters))
    framework.save(own, tmp_path)

    area = roc_auc_score(labels == 1, framework.predict(own, learnt.matrix).astype(np.float64))
    assert area is not None
    assert area > 0.75
    assert np.abs(scoring.load(framework, tmp_path)(learnt.matrix) - framework.predict(own, learnt.matrix)).max() <= TOLERANCE
