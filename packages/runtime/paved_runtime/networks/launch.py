"""Which processes train a network: this one for its host, or with several GPUs one for each of them, which torchrun starts."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from paved_runtime.networks import interruption
from paved_runtime.networks.fit import fit
from paved_runtime.networks.group import joined
from paved_runtime.networks.settings import Settings
from paved_runtime.plugin import TrainingRun

Network = TypeVar("Network", bound=nn.Module)


def learn(
    network: Network,
    run: TrainingRun,
    settings: Settings,
    *,
    gpus: int | None = None,
    processes: int | None = None,
) -> Network:
    """The network, once it has learnt from a run (paved_runtime.networks.fit), whose task it has from then on.

    Each of several hosts calls this with all rows, and gets the same. On each of them `processes` train: as many as it has GPUs, with one
    each, or one; with `gpus` 0 none is used.
    """
    hosts = run.hosts
    gpus = torch.cuda.device_count() if gpus is None else gpus
    if (processes := processes or gpus or 1) > 1:
        network = _by_torchrun(network, run, settings, processes, gpus=bool(gpus))
    else:
        with joined(hosts.rank, len(hosts), hosts, port=hosts.port, gpu=0 if gpus else None) as group:
            fit(network, run, settings, group)
    network.in_features = run.matrix.shape[1]
    network.task = run.task  # type: ignore[assignment]  # torch's types know tensors and modules alone
    return network


def _by_torchrun(network: Network, run: TrainingRun, settings: Settings, processes: int, *, gpus: bool) -> Network:
    hosts = run.hosts
    config = LaunchConfig(
        min_nodes=len(hosts),
        max_nodes=len(hosts),
        nproc_per_node=processes,
        rdzv_backend="static",
        rdzv_endpoint=f"{hosts.names[0]}:{hosts.port}",
        rdzv_configs={"rank": hosts.rank},
        max_restarts=0,  # another start of the job resumes
    )
    try:
        with interruption.held():  # torchrun tells its processes, and waits for them
            trained: dict[int, Network] = elastic_launch(config, _work)(network, run, settings, gpus)
    except SignalException:
        interruption.deliver()
        raise
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise ConnectionError(f"process {rank} of {processes} ended with {failure.exitcode}: {failure.message}") from error
    return next(iter(trained.values()))


def _work(network: Network, run: TrainingRun, settings: Settings, gpus: bool) -> Network:
    """What one of torchrun's processes does; it says in the environment which one this is."""
    rank, size, gpu = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    network = deepcopy(network)  # what comes from another process is memory that all of them share
    with joined(rank, size, run.hosts, port=int(os.environ["MASTER_PORT"]), gpu=gpu if gpus else None) as group:
        fit(network, run, settings, group)
    return network
