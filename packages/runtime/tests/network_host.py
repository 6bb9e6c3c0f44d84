"""One host of a training job, as a program: `python network_host.py JSON`, whose keys are the fields of `Host`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from network_rows import run
from safetensors.torch import save_file
from torch import Tensor, nn

from paved_runtime import stop
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.frameworks import torch as framework
from paved_runtime.hosts import Hosts
from paved_runtime.networks.launch import learn
from paved_runtime.networks.perceptron import perceptron
from paved_runtime.networks.settings import Settings
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import TaskName


@dataclass(frozen=True)
class Host:
    """Its rank among `size`, the folder of checkpoints, and where the weights go. In step `at` (0: never) a `signal` comes to it, or to
    the process that started it.
    """

    rank: int
    size: int
    port: int
    checkpoints: str
    weights: str
    at: int = 0
    signal: int = 0
    above: bool = False
    processes: int = 1
    task: TaskName = "binary"
    settings: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def run(self) -> TrainingRun:
        """What it learns from."""
        names = tuple(f"127.0.0.{number + 1}" for number in range(self.size))  # all are this machine
        return replace(
            run(task=self.task, checkpoint_steps=7, **self.settings),  # type: ignore[arg-type]
            hosts=Hosts(names=names, own=names[self.rank], port=self.port),
            checkpoints=Checkpoints(folder=Path(self.checkpoints), writes=self.rank == 0),
        )


class Struck(nn.Module):
    """A network in whose host something happens in a step."""

    def __init__(self, network: nn.Module, host: Host) -> None:
        super().__init__()
        self.network, self.host, self.steps = network, host, 0

    def forward(self, features: Tensor) -> Tensor:
        self.steps += self.training
        if self.training and self.steps == self.host.at:
            os.kill(os.getppid() if self.host.above else os.getpid(), self.host.signal)
        outputs: Tensor = self.network(features)
        return outputs


def main(host: Host) -> None:
    stop.on_stop(lambda: print("stopped", flush=True))
    example = host.run
    settings = Settings.of(example.hyperparameters)
    network = learn(Struck(perceptron(example, settings), host), example, settings, processes=host.processes)
    save_file(network.network.state_dict(), host.weights)
    assert framework.predict(network, example.matrix).std() > 0.1


if __name__ == "__main__":
    main(Host(**json.loads(sys.argv[1])))
