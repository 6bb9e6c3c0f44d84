"""One host of a training job, as a program: `python host.py JSON`, whose keys are the fields of `Host`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rows import run
from safetensors.torch import save_file
from torch import Tensor

from paved_runtime import stop
from paved_runtime.frameworks import torch as framework
from paved_runtime.networks.inputs import Scales
from paved_runtime.networks.launch import learn
from paved_runtime.networks.perceptron import Perceptron
from paved_runtime.networks.settings import Settings


@dataclass(frozen=True)
class Host:
    """Its rank among `size`, the folder of checkpoints, and where the weights go. In the step `at` (0 for never) a `signal` comes to it."""

    rank: int
    size: int
    checkpoints: str
    weights: str
    at: int = 0
    signal: int = 0
    processes: int = 1
    settings: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All hosts are this machine."""
        return ["127.0.0.1"] * self.size

    interface = "lo"


@dataclass(frozen=True)
class Folder:
    """Checkpoints in a folder."""

    home: Path

    def latest(self) -> Path | None:
        """The last one."""
        return next(self.home.glob("last"), None)

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Replace it at once."""
        write(self.home / "next")
        (self.home / "next").replace(self.home / "last")
        print(f"saved {step}", flush=True)


class Struck(Perceptron):
    """A perceptron in whose host something happens in a step."""

    steps, at, signal = 0, 0, 0

    def forward(self, features: Tensor) -> Tensor:
        self.steps += self.training
        if self.training and self.steps == self.at:
            os.kill(os.getpid(), self.signal)
        return super().forward(features)


def main(host: Host) -> None:
    stop.on_stop(lambda: print("stopped", flush=True))
    example = run(checkpoint_steps=7, **host.settings)  # type: ignore[arg-type]
    settings = Settings.of(example.hyperparameters)
    network = Struck(Scales.of(example.matrix), settings)
    network.at, network.signal = host.at, host.signal
    network = learn(network, example, settings, host, Folder(Path(host.checkpoints)), processes=host.processes)
    save_file(network.state_dict(), host.weights)
    assert framework.predict(network, example.matrix).std() > 0.1
    assert torch.are_deterministic_algorithms_enabled()


if __name__ == "__main__":
    main(Host(**json.loads(sys.argv[1])))
