"""How a network learns, in one process or several, such that a run that was stopped and resumed ends as it would have ended.

What is drawn in a step depends on the seed, the step and the process alone: a process that resumes draws what the first would have drawn.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from paved_runtime import stop, validation
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.networks import interruption
from paved_runtime.networks.group import Group
from paved_runtime.networks.objective import Objective
from paved_runtime.networks.settings import Settings
from paved_runtime.networks.state import State, Weights
from paved_runtime.plugin import TrainingRun

SEEDS = 2**31  # apart from each other: those of two seeds
AT_ONCE = 65_536  # rows


class Interrupted(SystemExit):
    """Training was told to stop, and has left a checkpoint where it can."""

    def __init__(self) -> None:
        super().__init__(stop.EXIT_CODE)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on a device: float32 [rows, features], and their labels, float32 [rows]."""

    matrix: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: Tensor) -> Rows:
        """Some of them, in that order."""
        return Rows(self.matrix[positions], self.labels[positions])


def fit(network: nn.Module, run: TrainingRun, settings: Settings, group: Group = Group()) -> None:  # noqa: B008 - it is frozen
    """Leave in `network` the weights that were best over the validation rows. It gives logits [rows] or [rows, 1], of several classes
    [rows, classes], of a regression numbers in the target's unit, [rows] or [rows, 1].

    Every process of the group calls it with the same run and the same network; the first alone reads and writes checkpoints. All end with
    the same weights, however often training was stopped and resumed. A group of another size ends with others: sums of more parts round
    differently.

    Raises:
        ArithmeticError: nothing finite is learnt.
        ConnectionError: another process of the group is gone.
        Interrupted: SIGTERM came to one of them; all stop after the same step.
        ValueError: the network gives something else, the checkpoint is of another one, or several processes would normalise by batches.
    """
    if group.size > 1 and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        raise ValueError(f"batch normalisation would see the rows of one process of {group.size}: take layer normalisation")
    _deterministic()
    objective, checkpoints = Objective.of(run), run.checkpoints
    held = validation.rows(run.labels)
    rows, kept = (Rows(torch.tensor(run.matrix[chosen]), torch.tensor(run.labels[chosen])) for chosen in (~held, held))
    network.to(group.device)
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, foreach=False)
    state = _resumed(network, optimizer, group, checkpoints)
    epoch = math.ceil(len(rows) / settings.batch_size)
    with interruption.held() as told:
        while state.step < settings.epochs * epoch and state.stale < settings.patience:
            batch = _batch(rows, state.step, epoch, settings, group)
            stopping = _step(network, objective, optimizer, batch, told, settings, state.step, group)
            state.step += 1
            if state.step % epoch == 0:
                _judge(network, objective, kept, state, group)
            if group.rank == 0 and (stopping or state.step % settings.checkpoint_steps == 0):
                checkpoints.save(state.step, partial(state.write, network=network, optimizer=optimizer))
            if stopping:
                print(
                    f"told to stop after step {state.step}; {'its checkpoint is kept' if checkpoints.folder else 'it is lost'}", flush=True
                )
                raise Interrupted
    network.load_state_dict(state.best)
    network.to("cpu").eval()
    print(
        f"learnt for {state.step} steps, {math.ceil(state.step / epoch)} epochs; loss over the validation rows {state.loss:.5f}", flush=True
    )


def _resumed(network: nn.Module, optimizer: torch.optim.Optimizer, group: Group, checkpoints: Checkpoints) -> State:
    """What the first process has is everybody's: a host may have got an older checkpoint than another."""
    latest = checkpoints.latest() if group.rank == 0 else None
    if not (content := group.of_first(latest.read_bytes() if latest else b"")):
        return State()
    state = State.read(content, network, optimizer)
    print(f"resumed after step {state.step}", flush=True)
    return state


@dataclass(frozen=True, slots=True)
class Batch:
    """This process's part of a step's rows, and how many the step has over all processes."""

    rows: Rows
    size: int


def _batch(rows: Rows, step: int, epoch: int, settings: Settings, group: Group) -> Batch:
    number, place = divmod(step, epoch)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(settings.seed * SEEDS + number))
    chosen = order[place * settings.batch_size : (place + 1) * settings.batch_size]
    return Batch(rows.at(chosen[group.rank :: group.size]), len(chosen))


def _step(
    network: nn.Module,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    told: Callable[[], bool],
    settings: Settings,
    step: int,
    group: Group,
) -> bool:
    """Take one step; whether any process of the group was told to stop."""
    torch.manual_seed(settings.seed * SEEDS + step * group.size + group.rank)
    network.train()
    optimizer.zero_grad()
    loss = objective.loss(network(batch.rows.matrix.to(group.device)), batch.rows.labels.to(group.device)) / batch.size
    loss.backward()  # type: ignore[no-untyped-call]
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    slopes = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    flat = torch.cat([*(slope.reshape(-1) for slope in slopes), torch.tensor([float(told())], device=group.device)])
    total = group.sum(flat)  # one message a step: the slopes, and whether somebody was told to stop
    for weight, slope in zip(weights, torch.split(total[:-1], [weight.numel() for weight in weights]), strict=True):
        weight.grad = slope.view_as(weight)
    optimizer.step()
    return bool(total[-1] > 0)


def _judge(network: nn.Module, objective: Objective, rows: Rows, state: State, group: Group) -> None:
    """Keep the weights where they are the best so far. Each process looks at a part of the rows."""
    network.eval()
    loss = torch.zeros(1, dtype=torch.float64)
    with torch.no_grad():
        for part in torch.split(torch.arange(len(rows))[group.rank :: group.size], AT_ONCE):
            chosen = rows.at(part)
            loss += objective.loss(network(chosen.matrix.to(group.device)).cpu().double(), chosen.labels.double())
    mean = float(group.sum(loss.to(group.device))) / len(rows)
    if not math.isfinite(mean):
        raise ArithmeticError(f"the loss is {mean} after step {state.step}: take a smaller learning_rate")
    state.stale = 0 if mean < state.loss else state.stale + 1
    if mean < state.loss:
        state.loss, state.best = mean, _copied(network)


def _copied(network: nn.Module) -> Weights:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _deterministic() -> None:
    """One thread, because sums over more may round differently; and of each operation the way that gives the same bits every time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
