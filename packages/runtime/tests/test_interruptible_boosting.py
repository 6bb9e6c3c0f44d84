"""Trees are the same however often training was interrupted and wherever it was, and each of several hosts gets the same."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import boosting_job
import numpy as np
import pytest
from boosting_job import PATIENCE, ROUNDS, parameters, rows
from sklearn.metrics import r2_score, roc_auc_score  # type: ignore[import-untyped]

from paved_runtime import interruptible_boosting
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.hosts import Hosts
from paved_runtime.interruptible_boosting import EVERY, best

TASKS = ("binary", "multiclass", "regression")
ONE, TWO = ("127.0.0.1",), ("127.0.0.1", "127.0.0.2")
Process = subprocess.Popen[str]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def started(task: str, port: int, own: str, folder: Path, names: tuple[str, ...]) -> Process:
    command = [sys.executable, boosting_job.__file__, task, str(port), own, str(folder), *names]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def run(task: str, port: int, folder: Path, names: tuple[str, ...], *, lost: str = "", at: int = 0) -> tuple[list[str], int]:
    """What each host says its trees are, and how many checkpoints were written; `lost` is killed when there are `at`."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        jobs = {own: stack.enter_context(started(task, port, own, folder, names)) for own in names}
        first = jobs[names[0]]
        assert first.stdout is not None
        written, trees = 0, []
        for line in first.stdout:
            written += line.startswith("checkpoint of step")
            trees += [line] if line.startswith("trees") else []
            if lost and written == at:
                jobs[lost].kill()
                for job in jobs.values():
                    job.kill()  # SageMaker stops the others
                break
        for own in names[1:]:
            output, _ = jobs[own].communicate()
            trees += [line for line in output.splitlines(keepends=True) if line.startswith("trees")]
    return trees, written


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("names", [pytest.param(ONE, id="one host"), pytest.param(TWO, id="two hosts", marks=pytest.mark.slow)])
def test_a_training_that_is_killed_and_begins_again_ends_with_the_same_trees(
    tmp_path: Path, port: int, task: str, names: tuple[str, ...]
) -> None:
    undisturbed, all_of_them = run(task, port, tmp_path / "undisturbed", names)
    draw = random.Random(7)  # noqa: S311 - repeatable, not secret
    places = sorted(draw.sample(range(1, all_of_them), 2))
    again = 0
    for place in places:
        assert run(task, port, tmp_path / "disturbed", names, lost=draw.choice(names), at=place - again)[0] == []
        again = place
    resumed, more = run(task, port, tmp_path / "disturbed", names)

    assert len(undisturbed) == len(names)
    assert len(set(undisturbed)) == 1
    assert resumed == undisturbed
    assert more <= all_of_them - places[-1] + 1


@pytest.mark.parametrize("task", TASKS)
def test_it_tells_of_rows_that_it_has_not_seen_and_takes_as_many_trees_as_they_ask_for(task: str) -> None:
    matrix, labels = rows(task, 2000)
    validation = np.arange(len(labels)) % 8 == 0
    booster = interruptible_boosting.train(
        parameters(task), matrix, labels, validation, rounds=ROUNDS, patience=PATIENCE, hosts=Hosts(), checkpoints=Checkpoints()
    )
    unseen, outcomes = rows(task, 2000, seed=1)
    scores = booster.inplace_predict(unseen)

    assert EVERY < booster.num_boosted_rounds() <= ROUNDS
    if task == "regression":
        assert r2_score(outcomes, scores) > 0.4
    elif task == "multiclass":
        assert scores.shape == (2000, 3)
        assert roc_auc_score(outcomes, scores, multi_class="ovr") > 0.75
    else:
        assert roc_auc_score(outcomes, scores) > 0.8


@pytest.mark.parametrize(
    ("history", "maximise", "found"),
    [
        ((0.5, 0.7, 0.6, 0.8), True, (3, False)),
        ((0.5, 0.7, 0.6, 0.6, 0.9), True, (1, True)),
        ((0.5, 0.5, 0.5), True, (0, True)),
        ((0.5, 0.4, 0.45, 0.45), False, (1, True)),
        ((0.5,), False, (0, False)),
    ],
)
def test_the_search_ends_where_nothing_has_become_better_for_a_while(
    history: tuple[float, ...],
    maximise: bool,
    found: tuple[int, bool],
) -> None:
    assert best(history, 2, maximise=maximise) == found


def test_two_hosts_that_would_go_on_from_different_checkpoints_do_not(tmp_path: Path, port: int) -> None:
    run(TASKS[0], port, tmp_path / "first", ONE, lost=ONE[0], at=2)
    (tmp_path / "second").mkdir()
    with (
        started(TASKS[0], port, TWO[1], tmp_path / "second", TWO) as second,
        started(TASKS[0], port, TWO[0], tmp_path / "first", TWO) as first,
    ):
        assert (first.wait(), second.wait()) == (1, 1)
