"""The processes that train one network together: one for each GPU of each host, or one for each host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from paved_runtime.hosts import Hosts

CPU = torch.device("cpu")
PATIENCE = timedelta(minutes=10)  # after so long without a word from the others a process gives up


@dataclass(frozen=True, slots=True)
class Group:
    """This process among `size` of them, by its `rank`; where its tensors are."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of what every process has, the same bits in each.

        Raises:
            ConnectionError: another process is gone.
        """
        if self.size > 1:
            with _together(self.size):
                dist.all_reduce(tensor)
        return tensor

    def of_first(self, content: bytes) -> bytes:
        """What the first process has; what the others give is not looked at. Raises ConnectionError as `sum` does."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)], device=self.device)
        with _together(self.size):
            dist.broadcast(length, 0)
            room = content if self.rank == 0 else bytes(int(length))
            letters = torch.tensor(np.frombuffer(room, np.uint8), device=self.device)
            dist.broadcast(letters, 0)
        return letters.cpu().numpy().tobytes()


@contextmanager
def _together(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        why = str(error).strip().splitlines()[0]
        raise ConnectionError(f"one of the {size} processes that train is gone ({why}): start the job again, it resumes") from error


@contextmanager
def joined(rank: int, size: int, hosts: Hosts, *, port: int, gpu: int | None = None) -> Iterator[Group]:
    """The group of `size` processes on the hosts of a job, which meet at a port of the first: over NCCL where each has a GPU, else gloo."""
    device = CPU if gpu is None else torch.device("cuda", gpu)
    if size == 1:
        yield Group(device=device)
        return
    if gpu is not None:
        torch.cuda.set_device(gpu)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", hosts.interface)
    os.environ.setdefault("NCCL_SOCKET_IFNAME", hosts.interface)
    dist.init_process_group(
        "gloo" if gpu is None else "nccl",
        init_method=f"tcp://{hosts.names[0]}:{port}",
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    try:
        yield Group(rank, size, device)
    finally:
        dist.destroy_process_group()
