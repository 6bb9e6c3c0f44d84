"""Keras's models learn what there is to learn, the same every time, and what is saved of one answers as it does."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from network_rows import SPANS, assert_learnt, edges, rows, run

from paved_runtime import scoring
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.frameworks import keras as framework
from paved_runtime.spec import TaskName
from paved_runtime.train import TOLERANCE

keras = framework.library()


@pytest.fixture(scope="module", params=framework.TASKS)
def task(request: pytest.FixtureRequest) -> TaskName:
    """Each task in turn."""
    return cast(TaskName, request.param)


@pytest.fixture(scope="module")
def model(task: TaskName) -> Any:
    return framework.train(run(task=task))


@pytest.fixture(scope="module")
def saved(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    framework.save(model, folder)
    return folder


def test_it_ranks_rows_that_it_has_not_seen_by_all_that_tells_the_outcome(task: TaskName, model: Any) -> None:
    assert_learnt(task, partial(framework.predict, model))


def test_the_same_rows_give_the_same_bytes(task: TaskName, saved: Path, tmp_path: Path) -> None:
    framework.save(framework.train(run(task=task)), tmp_path)

    assert sorted(file.name for file in saved.iterdir()) == sorted(framework.FILES)
    for name in framework.FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_what_is_served_is_what_was_trained(task: TaskName, model: Any, saved: Path) -> None:
    matrix = np.concatenate([rows(500, seed=2)[0], edges()])
    trained, served = framework.predict(model, matrix), scoring.load(framework, saved)

    assert np.abs(served(matrix) - trained).max() <= TOLERANCE * SPANS[task]
    assert np.abs(np.concatenate([served(row[None]) for row in matrix]) - trained).max() <= TOLERANCE * SPANS[task]
    assert np.array_equal(framework.predict(framework.load(saved), matrix), served(matrix))


def test_keras_builds_the_model_again_from_what_lies_beside_the_graph(task: TaskName, model: Any, saved: Path) -> None:
    matrix, _ = rows(200, seed=4)
    again = keras.models.model_from_json((saved / framework.ARCHITECTURE).read_text())
    again.load_weights(saved / framework.WEIGHTS)
    again.task = task

    assert np.array_equal(framework.predict(again, matrix), framework.predict(model, matrix))


def test_a_model_whose_architecture_holds_code_is_not_saved(tmp_path: Path) -> None:
    features = keras.Input((4,))
    answer = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Lambda(lambda x: x * 2)(features))

    with pytest.raises(ValueError, match=r"Keras would not build the model again from architecture.json: .*ambda"):
        framework.save(keras.Model(features, answer), tmp_path)
    assert not list(tmp_path.iterdir())


LAST = {
    "binary": (1, "sigmoid", "binary_crossentropy"),
    "multiclass": (4, "softmax", "sparse_categorical_crossentropy"),
    "regression": (1, None, "mean_squared_error"),
}


def test_a_model_of_ones_own_that_keras_fits_is_saved_likewise(task: TaskName, tmp_path: Path) -> None:
    matrix, labels = rows(600, task=task)
    keras.utils.set_random_seed(1)
    outputs, activation, loss = LAST[task]
    layers = [keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(outputs, activation=activation)]
    own = keras.Sequential([keras.Input((1,)), *layers])
    own.compile(optimizer="adam", loss=loss)
    own.fit(matrix[:, :1], labels, epochs=2, verbose=0)
    if task != "binary":
        own.task = task
    framework.save(own, tmp_path)

    served, fitted = scoring.load(framework, tmp_path)(matrix[:, :1].copy()), own.predict(matrix[:, :1], verbose=0)
    assert served.shape == framework.predict(own, matrix[:, :1]).shape
    assert np.abs(served - (fitted if task == "multiclass" else fitted[:, 0])).max() <= TOLERANCE * SPANS[task]


def test_a_model_that_says_no_task_is_binary_and_gives_one_probability(tmp_path: Path) -> None:
    own = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4, activation="softmax")])

    with pytest.raises(ValueError, match=r"^the network gives \[3, 4\] for 3 rows, its task is 'binary': accepted is \[rows\] or"):
        framework.save(own, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_goes_on_from_a_checkpoint_ends_as_it_would_have_ended(task: TaskName, tmp_path: Path) -> None:
    example = run(task=task, epochs=3, checkpoint_steps=7, checkpoints=Checkpoints(folder=tmp_path))
    once = framework.train(example).get_weights()
    written = sorted(file.name for file in tmp_path.iterdir())
    (tmp_path / written[-1]).unlink()
    again = framework.train(example).get_weights()

    assert sorted(file.name for file in tmp_path.iterdir()) == written  # each says what its bytes are
    assert all(map(np.array_equal, once, again))
