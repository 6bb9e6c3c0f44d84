"""The processes that train one network together: one for each GPU of each host, or one for each host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

CPU = torch.device("cpu")
PORT = 29500  # of the first host, where the others find it: torchrun's own
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
            size = int(length)
            sent = (
                torch.frombuffer(bytearray(content), dtype=torch.uint8) if self.rank == 0 and size else torch.empty(size, dtype=torch.uint8)
            )
            sent = sent.to(self.device)
            dist.broadcast(sent, 0)
        return sent.cpu().numpy().tobytes()


@contextmanager
def _together(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        why = str(error).strip().splitlines()[0]
        raise ConnectionError(f"one of the {size} processes that train is gone ({why}): start the job again, it resumes") from error


@contextmanager
def joined(rank: int, size: int, *, first: str, interface: str = "", gpu: int | None = None) -> Iterator[Group]:
    """The group of `size` processes that meet at the host called `first`: over NCCL where each has a GPU, else over gloo.

    MASTER_PORT says at which of its ports, `interface` over which network.
    """
    device = CPU if gpu is None else torch.device("cuda", gpu)
    if size == 1:
        yield Group(device=device)
        return
    if interface:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    dist.init_process_group(
        "gloo" if gpu is None else "nccl",
        init_method=f"tcp://{first}:{os.environ.get('MASTER_PORT', PORT)}",
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    try:
        yield Group(rank, size, device)
    finally:
        dist.destroy_process_group()
