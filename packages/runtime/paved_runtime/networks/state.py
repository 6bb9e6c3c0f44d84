"""What a run must know to go on as if it had never stopped, as safetensors: numbers and no code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass(slots=True)
class State:
    """After `step` steps: the best weights so far with their loss over the validation rows, and for how many epochs none were better."""

    step: int = 0
    loss: float = float("inf")
    stale: int = 0
    best: Weights = field(default_factory=dict)

    def write(self, file: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write all that is needed to go on from here."""
        moments = optimizer.state_dict()["state"]
        tensors = {
            "progress": torch.tensor([self.step, self.loss, self.stale], dtype=torch.float64),
            **{f"network/{name}": tensor for name, tensor in network.state_dict().items()},
            **{f"best/{name}": tensor for name, tensor in self.best.items()},
            **{f"optimizer/{position}/{name}": tensor for position, kept in moments.items() for name, tensor in kept.items()},
        }
        save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, file)

    @classmethod
    def read(cls, content: bytes, network: nn.Module, optimizer: torch.optim.Optimizer) -> State:
        """Put a network and its optimizer where `write` left them.

        Raises:
            ValueError: the file is broken, or of another network.
        """
        try:
            tensors = load(content)
            progress = tensors.pop("progress").tolist()
            network.load_state_dict(_below("network", tensors))
            optimizer.load_state_dict({"state": _moments(tensors), "param_groups": optimizer.state_dict()["param_groups"]})
        except (SafetensorError, KeyError, RuntimeError) as error:
            why = str(error).strip().splitlines()[0]
            raise ValueError(f"the checkpoint is not of this network ({why}): remove it, and training begins anew") from error
        return cls(int(progress[0]), progress[1], int(progress[2]), _below("best", tensors))


def _below(folder: str, tensors: Weights) -> Weights:
    return {name.removeprefix(f"{folder}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{folder}/")}


def _moments(tensors: Weights) -> dict[int, Weights]:
    moments: dict[int, Weights] = {}
    for name, tensor in _below("optimizer", tensors).items():
        position, _, key = name.partition("/")
        moments.setdefault(int(position), {})[key] = tensor
    return moments
