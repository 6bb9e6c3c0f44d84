"""What is held out depends on the rows and the seed, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_code.runtime import contract
from model_code.runtime.split import split
from model_code.runtime.table import Examples
from model_code.spec import ModelSpec


@pytest.fixture(scope="module")
def examples(data: Path, model_spec: ModelSpec) -> Examples:
    return contract.read(data.parent, model_spec.data)


def test_each_outcome_is_held_out_in_its_share(examples: Examples) -> None:
    train, holdout = split(examples, share=0.2, seed=0)

    assert len(train) + len(holdout) == len(examples)
    assert holdout.labels.sum() == round(examples.labels.sum() * 0.2)
    assert len(holdout) == pytest.approx(0.2 * len(examples), abs=1)


def test_no_row_is_in_both_parts(examples: Examples) -> None:
    train, holdout = split(examples, share=0.3, seed=1)

    assert not {row.tobytes() for row in train.table.values} & {row.tobytes() for row in holdout.table.values}


def test_the_order_of_the_rows_does_not_matter(examples: Examples) -> None:
    shuffled = examples.take(np.random.default_rng(5).permutation(len(examples)))

    for part, again in zip(split(examples, share=0.2, seed=0), split(shuffled, share=0.2, seed=0), strict=True):
        assert np.array_equal(part.table.values, again.table.values)
        assert np.array_equal(part.labels, again.labels)


def test_another_seed_holds_out_other_rows(examples: Examples) -> None:
    one, other = (split(examples, share=0.2, seed=seed)[1].table.values for seed in (0, 1))

    assert not np.array_equal(one, other)
