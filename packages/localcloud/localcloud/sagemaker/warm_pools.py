"""Warm pools: the machines of a training job that has ended, kept for the next one that asks for the same.

Only what SageMaker tells of them is here, and their quota, which is zero in a new account. A process starts as soon with a pool as without
one, nothing is billed, and the persistent cache (`/opt/ml/sagemaker/warmpoolcache`) is not kept.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid
from localcloud.sagemaker import quotas
from localcloud.sagemaker.records import Request

LONGEST = 3600  # seconds, in the guide; the API's own shape has more
_pools: dict[tuple[str, str, str], Pool] = {}


@dataclass(kw_only=True)
class Pool:
    """The machines of one training job. `ended` is when it ended (`time.time()`), `reused_by` the job that took them over."""

    request: Request
    ended: float | None = None
    reused_by: str = ""
    retained: float | None = None

    @property
    def seconds(self) -> float:
        """How long they are kept, in this cloud's time."""
        return float(self.request["ResourceConfig"]["KeepAlivePeriodInSeconds"]) / cloud().speed

    @property
    def status(self) -> str:
        """As DescribeTrainingJob tells it."""
        if self.reused_by:
            return "Reused"
        if self.ended is None:
            return "InUse"
        return "Available" if time.time() < self.ended + self.seconds else "Terminated"

    def as_dict(self) -> dict[str, Any]:
        """WarmPoolStatus of the API."""
        kept = 0.0 if self.ended is None else self.retained or min(time.time() - self.ended, self.seconds)
        told = {"Status": self.status, "ResourceRetainedBillableTimeInSeconds": round(kept * cloud().speed)}
        return {**told, **({"ReusedByJob": self.reused_by} if self.reused_by else {})}


def check(request: Request) -> None:
    """Raise an AWS error for a keep-alive period that SageMaker does not take."""
    seconds = request["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0)
    if seconds > LONGEST:
        raise invalid(f"KeepAlivePeriodInSeconds {seconds} is too long: at most {LONGEST} is accepted")
    if seconds and request.get("EnableManagedSpotTraining"):
        raise invalid("KeepAlivePeriodInSeconds cannot be used with EnableManagedSpotTraining: spot instances are not kept warm")


def require(account: str, region: str, request: Request) -> None:
    """Raise an AWS error where a job would keep more machines than the account's quota."""
    if request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        taken = _fitting(account, region, request)
        kept = [pool for pool in _of(account, region) if pool is not taken and pool.status in ("InUse", "Available")]
        used = sum((_machines(pool.request["ResourceConfig"]) for pool in kept), Counter[str]())
        quotas.require(quotas.WARM, used, _machines(request["ResourceConfig"]))


def begin(account: str, region: str, request: Request) -> None:
    """A job begins: on machines that fit where some are kept, and with a pool of its own where it asks for one."""
    name, taken = request["TrainingJobName"], _fitting(account, region, request)
    if taken and taken.ended:
        taken.reused_by, taken.retained = name, time.time() - taken.ended
    if request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        _pools[account, region, name] = Pool(request=request)


def end(account: str, region: str, name: str) -> None:
    """A job has ended, however: its machines are kept from now on, if they are to be."""
    if pool := _pools.get((account, region, name)):
        pool.ended = time.time()


def told(account: str, region: str, name: str) -> dict[str, Any]:
    """What a description of the job has beside all else."""
    pool = _pools.get((account, region, name))
    return {"WarmPoolStatus": pool.as_dict()} if pool else {}


def _of(account: str, region: str) -> list[Pool]:
    return [pool for (owner, place, _), pool in list(_pools.items()) if (owner, place) == (account, region)]


def _fitting(account: str, region: str, request: Request) -> Pool | None:
    """The machines that are kept for such a job."""
    kept = (pool for pool in _of(account, region) if pool.status == "Available")
    return next((pool for pool in kept if _needs(pool.request) == _needs(request)), None)


def _needs(request: Request) -> tuple[Any, ...]:
    """What the next job must ask for alike (Developer Guide, "SageMaker AI Managed Warm Pools", "Matching training jobs")."""
    config = request["ResourceConfig"]
    machines = tuple(config.get(key) for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId"))
    vpc = request.get("VpcConfig") or {}
    networks = tuple(tuple(vpc.get(key, ())) for key in ("SecurityGroupIds", "Subnets"))
    closed = tuple(bool(request.get(key)) for key in ("EnableInterContainerTrafficEncryption", "EnableNetworkIsolation"))
    return request.get("RoleArn"), machines, networks, closed


def _machines(config: dict[str, Any]) -> Counter[str]:
    return Counter({config["InstanceType"]: config.get("InstanceCount", 1)})
