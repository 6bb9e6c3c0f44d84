"""Boosted trees by several hosts, or on machines that may be taken away: the same trees, however often training was interrupted.

XGBoost keeps a stream of random numbers and sums of scores in memory, which a model's file does not have: who goes on from a file gets
other trees than who never stopped. So everybody stops: trees are grown `EVERY` at a time, each time from the bytes of those before, with a
seed of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from xgboost import collective
from xgboost.tracker import RabitTracker

from paved_runtime import meeting, shard
from paved_runtime.checkpoints import CheckpointError, Checkpoints
from paved_runtime.hosts import Hosts
from paved_runtime.table import Matrix

EVERY = 25  # trees
MAXIMISED = ("auc", "aucpr", "map", "ndcg", "pre")  # XGBoost's metrics of which more is better; of all others less is
Parameters = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class State:
    """How far training is. `trees` is the model in XGBoost's UBJSON, as base64; `history` has validation's metric after each tree of the
    search; `chosen` is how many trees the search has found, 0 while it lasts.
    """

    trees: str = ""
    grown: int = 0
    history: tuple[float, ...] = ()
    chosen: int = 0

    @classmethod
    def read(cls, file: Path) -> State:
        content = json.loads(file.read_bytes())
        return cls(**{**content, "history": tuple(content["history"])})

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(asdict(self)))

    @property
    def step(self) -> int:
        """Trees grown so far, those of the search included."""
        return len(self.history) + (self.grown if self.chosen else 0)

    @property
    def booster(self) -> xgboost.Booster | None:
        """The trees so far; None where there is none yet."""
        return xgboost.Booster(model_file=bytearray(base64.b64decode(self.trees))) if self.trees else None


def train(
    parameters: Parameters,
    matrix: Matrix,
    labels: Matrix,
    validation: NDArray[np.bool_],
    *,
    rounds: int,
    patience: int,
    hosts: Hosts,
    checkpoints: Checkpoints,
) -> xgboost.Booster:
    """A booster: part of the rows (`validation`) finds the number of trees, at most `rounds`, then all rows train that many.

    All hosts have all rows, each uses its share, and each gets the same booster.

    Raises:
        CheckpointError: the checkpoints are another training's, or hosts have found different ones.
    """
    with _together(hosts):
        latest = checkpoints.latest()
        state = State.read(latest) if latest else State()
        _agreed(state)
        own = shard.mine(shard.of_matrix(matrix), hosts)
        judged = xgboost.DMatrix(matrix[own & validation], labels[own & validation])
        rows = xgboost.DMatrix(matrix[own & ~validation], labels[own & ~validation])
        while not state.chosen:
            grown = _grown(parameters, rows, state, count=min(EVERY, rounds - state.grown), judged=judged)
            state = _searched(grown, rounds=rounds, patience=patience, maximise=parameters["eval_metric"] in MAXIMISED)
            checkpoints.save(state.step, state.write)
        rows = xgboost.DMatrix(matrix[own], labels[own])
        while state.grown < state.chosen:
            state = _grown(parameters, rows, state, count=min(EVERY, state.chosen - state.grown))
            checkpoints.save(state.step, state.write)
    booster = state.booster
    assert booster is not None
    return booster


def best(history: tuple[float, ...], patience: int, *, maximise: bool) -> tuple[int, bool]:
    """The place of the best value, and whether as many others as `patience` have come after it; values after that do not count."""
    found = 0
    for place, value in enumerate(history):
        if value > history[found] if maximise else value < history[found]:
            found = place
        elif place - found >= patience:
            return found, True
    return found, False


def _searched(state: State, *, rounds: int, patience: int, maximise: bool) -> State:
    """The state with the number of trees, and none grown, once the search is over."""
    found, over = best(state.history, patience, maximise=maximise)
    if not over and state.grown < rounds:
        return state
    return replace(state, trees="", grown=0, chosen=found + 1)


def _grown(parameters: Parameters, rows: xgboost.DMatrix, state: State, *, count: int, judged: xgboost.DMatrix | None = None) -> State:
    """The state with `count` more trees."""
    results: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {**parameters, "seed": int(parameters.get("seed", 0)) + state.step},
        rows,
        num_boost_round=count,
        xgb_model=state.booster,
        evals=[(judged, "validation")] if judged else [],
        evals_result=results,
        verbose_eval=False,
    )
    values = next(iter(results["validation"].values())) if judged else []
    trees = base64.b64encode(bytes(booster.save_raw("ubj"))).decode()
    return replace(state, trees=trees, grown=state.grown + count, history=(*state.history, *values))


def _agreed(state: State) -> None:
    """Raise CheckpointError where hosts would go on from different states."""
    digest = hashlib.sha256(json.dumps(asdict(state)).encode()).digest()
    own = np.frombuffer(digest[:4], np.int32).astype(np.int64)
    if collective.allreduce(own, collective.Op.MAX)[0] != collective.allreduce(own, collective.Op.MIN)[0]:
        raise CheckpointError(f"hosts have found different checkpoints, this one of step {state.step}: start the job again")


@contextmanager
def _together(hosts: Hosts) -> Iterator[None]:
    """Within the block the hosts grow trees together; the first of them has XGBoost's tracker, where they find each other."""
    if len(hosts) == 1:
        yield
        return
    address = meeting.address(hosts.names[0])
    tracker = RabitTracker(n_workers=len(hosts), host_ip=address, sortby="task") if hosts.first else None
    if tracker:
        tracker.start()
    port = meeting.told(hosts, str(tracker.worker_args()["dmlc_tracker_port"]) if tracker else "")
    rank = f"{hosts.rank:04d}"
    with collective.CommunicatorContext(
        dmlc_communicator="rabit", dmlc_tracker_uri=address, dmlc_tracker_port=int(port), dmlc_task_id=rank
    ):
        yield
    if tracker:
        tracker.wait_for()
