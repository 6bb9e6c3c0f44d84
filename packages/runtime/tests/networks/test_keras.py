"""Keras's models learn what there is to learn, the same every time, and what is saved of one answers as it does."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_rows import assert_learnt, edges, rows, run

from paved_runtime import scoring
from paved_runtime.frameworks import keras as framework
from paved_runtime.train import TOLERANCE

keras = framework.library()


@pytest.fixture(scope="module")
def model() -> Any:
    return framework.train(run())


@pytest.fixture(scope="module")
def saved(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    framework.save(model, folder)
    return folder


def test_it_ranks_rows_that_it_has_not_seen_by_all_that_tells_the_outcome(model: Any) -> None:
    assert_learnt(partial(framework.predict, model))


def test_the_same_rows_give_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    framework.save(framework.train(run()), tmp_path)

    assert sorted(file.name for file in saved.iterdir()) == sorted(framework.FILES)
    for name in framework.FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_what_is_served_is_what_was_trained(model: Any, saved: Path) -> None:
    matrix = np.concatenate([rows(500, seed=2)[0], edges()])
    trained, served = framework.predict(model, matrix), scoring.load(framework, saved)

    assert np.abs(served(matrix) - trained).max() <= TOLERANCE
    assert np.abs(np.concatenate([served(row[None]) for row in matrix]) - trained).max() <= TOLERANCE
    assert np.array_equal(framework.predict(framework.load(saved), matrix), served(matrix))


def test_keras_builds_the_model_again_from_what_lies_beside_the_graph(model: Any, saved: Path) -> None:
    matrix, _ = rows(200, seed=4)
    again = keras.models.model_from_json((saved / framework.ARCHITECTURE).read_text())
    again.load_weights(saved / framework.WEIGHTS)

    assert np.array_equal(framework.predict(again, matrix), framework.predict(model, matrix))


def test_a_model_whose_architecture_holds_code_is_not_saved(tmp_path: Path) -> None:
    features = keras.Input((4,))
    answer = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Lambda(lambda x: x * 2)(features))

    with pytest.raises(ValueError, match=r"Keras would not build the model again from architecture.json: .*ambda"):
        framework.save(keras.Model(features, answer), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_of_ones_own_that_keras_fits_is_saved_likewise(tmp_path: Path) -> None:
    matrix, labels = rows(600)
    keras.utils.set_random_seed(1)
    own = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1, activation="sigmoid")])
    own.compile(optimizer="adam", loss="binary_crossentropy")
    own.fit(matrix[:, :1], labels, epochs=2, verbose=0)
    framework.save(own, tmp_path)

    served = scoring.load(framework, tmp_path)(matrix[:, :1].copy())
    assert np.abs(served - own.predict(matrix[:, :1], verbose=0)[:, 0]).max() <= TOLERANCE
