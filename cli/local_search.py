"""Hyperparameters searched for on this machine: the trials that localcloud would run, one after the other, without any cloud."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import local_training
from cli.local_features import LocalStore
from cli.problem import Problem
from paved_runtime.spec import ModelSpec, Search
from pipelines import search_space


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial: the hyperparameters that were tried, as texts, and what the objective came to on the validation rows."""

    hyperparameters: dict[str, str]
    objective: float


def settings(model: ModelSpec) -> Search:
    """A model's search. Raises Problem where it has none."""
    if model.training.search is None:
        raise Problem(
            f"search of {model.name}", "model.toml has no [training.search]", "write one: docs/model-toml.md, or leave --search out"
        )
    return model.training.search


def best(search: Search, trials: Sequence[Trial]) -> Trial:
    """The trial that won; of equal ones the first."""
    return max(trials, key=lambda trial: trial.objective if search.maximize else -trial.objective)


def run(
    model: ModelSpec, folder: Path, data: Path, home: Path, tell: Callable[[int, Trial], None], stores: Sequence[LocalStore] = ()
) -> list[Trial]:
    """Prepare the data set, joined with `stores`, in `home`, whose content goes first, and run every trial of the model in `folder` on it;
    `tell` hears of each.

    Raises:
        Violations: the data set breaks the contract.
        Problem: a trial failed, in its own words.
    """
    from localcloud.sagemaker import search_spaces  # here, because it comes with moto, which takes longer to import than most commands

    search = settings(model)
    config = search_space.config(model.training, search)
    container = local_training.Container.of(folder, data, home, stores)
    container.run("prepare")
    trials = list[Trial]()
    for drawn in search_spaces.drawn(config["ParameterRanges"], search.jobs, str(search.seed)):
        printed = container.run("search", hyperparameters=drawn)
        trials.append(Trial(hyperparameters=drawn, objective=_objective(search, printed)))
        tell(len(trials), trials[-1])
    return trials


def _objective(search: Search, printed: str) -> float:
    """The figure in what a trial printed."""
    said = re.search(rf"^metric {re.escape(search.metric)}=(\S+)$", printed, re.MULTILINE)
    if said is None:
        raise Problem("a trial", f"it printed no {search.metric}: {json.dumps(printed[-200:])}", "see the runtime's search.py")
    return float(said[1])
