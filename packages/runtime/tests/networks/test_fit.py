"""A network that two hosts train is the same network however often one of them is lost, or told to stop."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_host import Host
from network_rows import run
from safetensors.numpy import load_file

from paved_runtime.checkpoints import Checkpoints
from paved_runtime.frameworks import torch as framework
from paved_runtime.networks.fit import fit
from paved_runtime.networks.group import Group
from paved_runtime.networks.settings import Settings
from paved_runtime.networks.state import State
from paved_runtime.spec import TaskName

PROGRAM = Path(__file__).parents[1] / "network_host.py"
PATIENCE = 240  # seconds in which the slowest machine has imported torch twice
STOPPED = 143


class Job:
    """A job of several hosts, each of which is a process here."""

    def __init__(self, folder: Path, size: int = 2) -> None:
        self.folder, self.size, self.checkpoints = folder, size, folder / "checkpoints"
        self.checkpoints.mkdir(parents=True)

    def train(self, at: int = 0, number: int = 0, **more: Any) -> list[tuple[int, str]]:
        """Each host's exit code and what it printed; in a step the signal of that number comes to the last one."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        hosts = [
            Host(rank, self.size, port, str(self.folder / "checkpoints"), str(self.weights(rank)), **more) for rank in range(self.size)
        ]
        hosts[-1] = replace(hosts[-1], at=at, signal=number)
        started = [
            subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(asdict(host))],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for host in hosts
        ]
        try:
            return [(process.wait(PATIENCE), process.stdout.read()) for process in started if process.stdout]
        finally:
            for process in started:
                process.kill()

    def weights(self, rank: int) -> Path:
        """What a host has learnt."""
        return self.folder / f"weights-{rank}"


def trained(folder: Path, task: TaskName) -> bytes:
    """The weights of two hosts that nothing happens to."""
    job = Job(folder)
    for code, output in job.train(task=task):
        assert code == 0, output
    assert job.weights(0).read_bytes() == job.weights(1).read_bytes()
    return job.weights(0).read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Those of a binary network."""
    return trained(tmp_path_factory.mktemp("undisturbed"), "binary")


@pytest.mark.parametrize("task", framework.TASKS)
def test_a_host_that_is_lost_without_warning_costs_steps_and_changes_nothing(
    task: TaskName, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    expected = request.getfixturevalue("undisturbed") if task == "binary" else trained(tmp_path / "undisturbed", task)
    job, step = Job(tmp_path / "disturbed"), random.SystemRandom().randrange(8, 40)
    (left, said), (lost, _) = job.train(at=step, number=signal.SIGKILL, task=task)

    assert lost == -signal.SIGKILL
    assert left == 1, said
    assert "one of the 2 processes that train is gone" in said
    again = job.train(task=task)
    assert [code for code, _ in again] == [0, 0], again
    assert all(f"resumed after step {(step - 1) // 7 * 7}\n" in output for _, output in again), (step, again)
    assert job.weights(0).read_bytes() == job.weights(1).read_bytes() == expected, step


def test_hosts_of_which_one_is_told_to_stop_all_stop_after_the_same_step(undisturbed: bytes, tmp_path: Path) -> None:
    job, step = Job(tmp_path), random.SystemRandom().randrange(2, 40)
    stopped = job.train(at=step, number=signal.SIGTERM)

    assert stopped[1][0] == STOPPED
    assert stopped[1][1].endswith("stopped\n")
    assert stopped[0][0] == STOPPED
    assert all(f"told to stop after step {step};" in output for _, output in stopped), stopped
    again = job.train()
    assert all(f"resumed after step {step}\n" in output for _, output in again), again
    assert job.weights(0).read_bytes() == job.weights(1).read_bytes() == undisturbed, step


def test_two_processes_of_one_host_are_two_hosts(undisturbed: bytes, tmp_path: Path) -> None:
    job = Job(tmp_path, size=1)
    [(code, output)] = job.train(processes=2)

    assert code == 0, output
    assert job.weights(0).read_bytes() == undisturbed


def test_the_processes_of_a_host_that_is_told_to_stop_leave_their_checkpoint(undisturbed: bytes, tmp_path: Path) -> None:
    job = Job(tmp_path, size=1)
    [(code, output)] = job.train(at=10, number=signal.SIGTERM, processes=2, above=True)

    assert code == STOPPED, output
    assert output.count("told to stop after step") == 2, output
    assert "stopped\n" in output
    [(code, again)] = job.train(processes=2)
    assert (code, again.count("resumed after step")) == (0, 2), again
    assert job.weights(0).read_bytes() == undisturbed


def test_one_host_learns_what_two_learn_but_for_rounding(tmp_path: Path) -> None:
    """Where nothing is left out at random, which each process draws for itself: a step's rows are the same ones."""
    settings = {"dropout": 0.0, "epochs": 2}
    job = Job(tmp_path)
    assert [code for code, _ in job.train(settings=settings)] == [0, 0]
    one = framework.train(run(**settings)).state_dict()  # type: ignore[arg-type]
    two = load_file(job.weights(0))

    assert set(one) == set(two)
    assert all(np.allclose(one[name], two[name], atol=1e-5) for name in one)


def test_one_host_that_is_stopped_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    once, twice = Job(tmp_path / "once", size=1), Job(tmp_path / "twice", size=1)
    [(code, _)] = once.train()
    [(stopped, _)] = twice.train(at=23, number=signal.SIGTERM)
    [(resumed, _)] = twice.train()

    assert (code, stopped, resumed) == (0, STOPPED, 0)
    assert once.weights(0).read_bytes() == twice.weights(0).read_bytes()


@pytest.mark.parametrize("task", framework.TASKS)
def test_a_run_that_goes_on_from_a_checkpoint_ends_as_it_would_have_ended(task: TaskName, tmp_path: Path) -> None:
    example = run(task=task, epochs=3, checkpoint_steps=7, checkpoints=Checkpoints(folder=tmp_path))
    once = framework.train(example).state_dict()
    written = sorted(file.name for file in tmp_path.iterdir())
    (tmp_path / written[-1]).unlink()
    again = framework.train(example).state_dict()

    assert sorted(file.name for file in tmp_path.iterdir()) == written  # each says what its bytes are
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    example = run(checkpoint_steps=5, checkpoints=Checkpoints(folder=tmp_path))
    framework.train(example)

    with pytest.raises(ValueError, match=r"the checkpoint is not of this network \(.+\): remove it, and training begins anew"):
        framework.train(run(hidden="32", checkpoints=example.checkpoints))
    example.checkpoints.save(10_000, lambda file: file.write_bytes(b"no network"))
    with pytest.raises(ValueError, match="the checkpoint is not of this network"):
        framework.train(example)


def test_batches_of_several_processes_are_not_normalised() -> None:
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))

    with pytest.raises(ValueError, match="one process of 2: take layer normalisation"):
        fit(network, run(100), Settings(), Group(rank=1, size=2))


def test_a_run_that_was_over_is_over_when_it_resumes(tmp_path: Path) -> None:
    """Also where it ended because nothing got better, in the very step that was saved."""
    example = run(checkpoint_steps=11, patience=1, learning_rate=0.1, checkpoints=Checkpoints(folder=tmp_path))
    first, again = (framework.train(example).state_dict() for _ in range(2))

    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_checkpoint_holds_the_step_the_weights_and_what_the_optimizer_knows(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    State(7, 0.5, 2, {"weight": torch.zeros(1, 2)}).write(tmp_path / "file", network, optimizer)
    other = torch.nn.Linear(2, 1)
    state = State.read((tmp_path / "file").read_bytes(), other, behind := torch.optim.AdamW(other.parameters()))

    assert (state.step, state.loss, state.stale, state.best["weight"].tolist()) == (7, 0.5, 2, [[0, 0]])
    assert torch.equal(network.weight, other.weight)
    assert np.array_equal(behind.state_dict()["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])
    assert Group().of_first(b"alone") == b"alone"
