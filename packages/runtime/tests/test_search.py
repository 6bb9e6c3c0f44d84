"""A trial of a hyperparameter search: on training rows alone, judged on always the same of them, and leaving nothing but its metrics."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from container import environment
from container import job as job_of

from paved_runtime import contract, spec, split, tasks
from paved_runtime.__main__ import main
from paved_runtime.job import Job
from paved_runtime.search import search

RANGES = {"max_depth": spec.Range(minimum=2, maximum=8), "eta": spec.Range(minimum=0.01, maximum=0.3, scale="log")}


@pytest.fixture(scope="session")
def searching(model_spec: spec.ModelSpec) -> spec.ModelSpec:
    """The frozen model with a search."""
    training = model_spec.training.model_copy(update={"search": spec.Search(jobs=4, ranges=RANGES)})
    return model_spec.model_copy(update={"training": training})


@pytest.fixture(scope="session")
def prepared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file system of a job that has prepared the data set."""
    root = tmp_path_factory.mktemp("prepared")
    (root / "input/data/data").mkdir(parents=True)
    shutil.copy(data, root / "input/data/data")
    assert main(["prepare"], environment(root)) == 0
    return root


@pytest.fixture
def trial(prepared: Path, tmp_path: Path, searching: spec.ModelSpec) -> Job:
    """A trial of few trees, whose only channel is what preparation wrote for training, as with separate steps."""
    shutil.copytree(prepared / "work/train", tmp_path / "input/data/train")
    return given(job_of(tmp_path, searching))


def given(job: Job, **hyperparameters: str) -> Job:
    """The job with hyperparameters as SageMaker hands them to a trial."""
    texts = {"rounds": "20", **hyperparameters, "_tuning_objective_metric": "validation_roc_auc"}
    (job.root / "input/config").mkdir(parents=True, exist_ok=True)
    (job.root / "input/config/hyperparameters.json").write_text(json.dumps(texts))
    return job


def metrics(job: Job, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """What a trial prints, as SageMaker reads it."""
    capsys.readouterr()
    search(job)
    lines = [line.removeprefix("metric ").split("=") for line in capsys.readouterr().out.splitlines() if line.startswith("metric ")]
    return {name: float(value) for name, value in lines}


def test_a_trial_prints_its_metrics_and_leaves_no_model(trial: Job, capsys: pytest.CaptureFixture[str]) -> None:
    printed = metrics(trial, capsys)

    assert set(printed) == {f"validation_{name}" for name in ("roc_auc", "average_precision", "brier", "log_loss", "calibration_error")}
    assert printed["validation_roc_auc"] > 0.6
    assert not trial.model.exists()


def test_the_same_rows_in_another_order_give_the_same_figures(trial: Job, capsys: pytest.CaptureFixture[str]) -> None:
    first, file = metrics(trial, capsys), trial.root / "input/data/train/train.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *random.Random(2).sample(rows, len(rows))]) + "\n")  # noqa: S311 - repeatable, not secret

    assert metrics(trial, capsys) == first


def test_its_figure_depends_on_the_hyperparameters(trial: Job, capsys: pytest.CaptureFixture[str]) -> None:
    deep, shallow = (metrics(given(trial, max_depth=depth), capsys) for depth in ("8", "1"))

    assert deep != shallow


def test_validation_rows_are_training_rows_and_no_part_of_what_is_learnt(trial: Job, prepared: Path, searching: spec.ModelSpec) -> None:
    held, rows = (contract.read(folder, searching.data) for folder in (prepared / "work/holdout", trial.channel("train")))
    assert searching.training.search is not None
    learnt, validation = split.split(rows, tasks.of(searching.data), share=searching.training.search.validation, seed=searching.data.seed)

    assert len(learnt) + len(validation) == len(rows)
    assert len(validation) == pytest.approx(0.2 * len(rows), abs=2)
    assert not np.isin(validation.digests, held.digests).any()
    assert not np.isin(validation.digests, learnt.digests).any()
    assert tasks.of(searching.data).metrics(validation.labels, np.full(len(validation), 0.5))["roc_auc"] == 0.5  # of both outcomes


def test_train_alone_stands_for_a_trials_commands(trial: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """The frozen model has no search, which the command says that it was to run."""
    assert main(["train"], environment(trial.root, TRIAL_COMMANDS="search")) == 1
    assert "search: model.toml has no [training.search]" in capsys.readouterr().err
    assert main(["train", "evaluate"], environment(trial.root, TRIAL_COMMANDS="nothing")) == 1
    assert "nothing" not in capsys.readouterr().err.splitlines()[-1]
