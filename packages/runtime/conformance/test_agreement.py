"""What answers callers says what was trained, wherever a row lies; and reasons say it, too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from conformance import subject
from conformance.subject import Scores, Subject
from paved_runtime import scoring
from paved_runtime.frameworks import Explaining
from paved_runtime.plugin import TrainingRun
from paved_runtime.table import Matrix, Values

FLOORS = {"roc_auc": 0.65, "r2": 0.3}


def shares(framework: Explaining, model: object, matrix: Matrix) -> Matrix:
    """What each feature adds, without the base."""
    return framework.contributions(model, matrix)[1]


def certain(tried: Subject, labels: Values) -> Values:
    """The scores of somebody who knows the outcomes."""
    width = tried.task.width
    return labels if width is None else np.eye(width)[labels.astype(np.intp)]


def refusal(tried: Subject, run: TrainingRun) -> str:
    """What a training that is refused says; nothing where it is none."""
    try:
        tried.framework.train(run)
    except ValueError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def served(tried: Subject, saved: Path) -> Scores:
    """What answers callers."""
    return scoring.load(tried.framework, saved)


@pytest.fixture(scope="module", params=["training rows", "edges", "where trees split", "missing cells"])
def matrix(request: pytest.FixtureRequest, tried: Subject) -> Matrix:
    rows = tried.run.matrix
    missing = rows.copy()
    missing[np.random.default_rng(5).random(len(rows)) < 0.5, 1] = np.nan
    missing[np.random.default_rng(6).random(len(rows)) < 0.5, 4] = np.nan
    kinds = {
        "training rows": rows,
        "edges": subject.edges(tried.model),
        "where trees split": subject.between(rows, 4000),
        "missing cells": missing,
    }
    return kinds[request.param]


def test_what_answers_says_what_was_trained(tried: Subject, served: Scores, matrix: Matrix) -> None:
    answers, trained = served(matrix), tried.trained(matrix)

    np.testing.assert_allclose(answers, trained, rtol=0, atol=tried.tolerance)
    for scores in (answers, trained):
        assert scores.dtype == np.float32
        assert scores.shape == ((len(matrix),) if tried.task.width is None else (len(matrix), tried.task.width))
        assert not tried.task.refused(scores.astype(np.float64)).any()


def test_a_row_scores_the_same_alone_and_among_others(tried: Subject, served: Scores, matrix: Matrix) -> None:
    together = served(matrix[:60])

    np.testing.assert_allclose([served(row[None])[0] for row in matrix[:60]], together, rtol=0, atol=tried.tolerance / 10)


def test_it_tells_of_rows_that_it_has_not_seen(tried: Subject, served: Scores, tmp_path: Path) -> None:
    unseen = subject.run(tried.model, subject.write_data(tmp_path / "unseen.csv", tried.model.task, seed=4))
    labels, scores = unseen.labels.astype(np.float64), served(unseen.matrix).astype(np.float64)
    figure, means = tried.task.figure(labels, scores), scores.mean(axis=0)

    assert figure is not None
    assert figure > FLOORS[tried.task.headline]
    np.testing.assert_allclose(means, certain(tried, labels).mean(axis=0), rtol=0, atol=0.05 * tried.model.data.span)


def test_threads_do_not_disturb_each_other(tried: Subject, served: Scores, saved: Path) -> None:
    loaded = tried.framework.load(saved)
    asked: list[Scores] = [served, partial(tried.framework.predict, loaded)]
    if tried.explains:
        assert isinstance(tried.framework, Explaining)
        asked.append(partial(shares, tried.framework, loaded))
    parts = [tried.run.matrix[start : start + 20] for start in range(100)]
    for ask in asked:
        alone = [ask(part) for part in parts]
        with ThreadPoolExecutor(8) as pool:
            np.testing.assert_array_equal(list(pool.map(ask, parts)), alone)


def test_exact_reasons_add_up_to_the_score(tried: Subject, served: Scores, saved: Path, matrix: Matrix) -> None:
    if not tried.explains:
        assert tried.model.task == "multiclass" or not hasattr(tried.framework, "contributions")
        return
    assert isinstance(tried.framework, Explaining)
    base, adds = tried.framework.contributions(tried.framework.load(saved), matrix)
    sums = base + adds.sum(axis=1, dtype=np.float64)
    explained = 1 / (1 + np.exp(-sums)) if tried.model.task == "binary" else sums

    assert adds.dtype == np.float32
    assert adds.shape == matrix.shape
    np.testing.assert_allclose(explained, served(matrix), rtol=0, atol=tried.tolerance)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_direction_is_kept_or_refused_in_one_line(tried: Subject, direction: int) -> None:
    """Against what the rows say, too: more visits make the answer greater. Of several classes none can be kept."""
    bound = replace(tried.run, monotone={**tried.run.monotone, "visits": direction})
    if said := refusal(tried, bound):
        assert "visits" in said
        assert "\n" not in said
        return
    assert tried.model.task != "multiclass"
    line = np.repeat(subject.edges(tried.model)[:1], 61, axis=0)
    line[:, tried.model.column_names.index("visits")] = np.arange(61)
    assert (np.diff(tried.framework.predict(tried.framework.train(bound), line)) * direction >= 0).all()
