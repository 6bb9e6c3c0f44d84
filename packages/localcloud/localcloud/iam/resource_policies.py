"""The policies that buckets, keys and buses have of their own, which decide beside those of who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.events.models import events_backends
from moto.s3.models import s3_backends

from localcloud.iam import policies
from localcloud.iam.conditions import Context
from localcloud.iam.permissions import Permission
from localcloud.kms import keys
from localcloud.s3 import bucket_policies


@dataclass(frozen=True)
class Guarded:
    """What has a policy of its own, in the account `owner`. Where it decides `alone`, IAM counts only as far as it says so."""

    policy: Any
    owner: str
    alone: bool = False


def of(wanted: Permission) -> Guarded | None:
    """The bucket, key or bus that a permission is about, where it is there. One that is not is refused by its own service."""
    if wanted.resource is None:
        return None
    service = wanted.action.partition(":")[0]
    if service == "s3":
        return _bucket(wanted.resource.split(":", 5)[5].split("/")[0])
    if service == "kms" and ":alias/" not in wanted.resource:
        owner, region = wanted.resource.split(":")[4], wanted.resource.split(":")[3]
        key = keys.find(wanted.resource, owner, region)
        return Guarded(keys.policy(key), owner, alone=True) if key else None
    return _bus(wanted.resource) if wanted.action == "events:PutEvents" else None


def _bucket(name: str) -> Guarded | None:
    if name not in s3_backends.bucket_accounts:
        return None
    partition, owner = s3_backends.bucket_accounts[name]
    return Guarded(bucket_policies.of(s3_backends[owner][partition].buckets[name]), owner)


def _bus(arn: str) -> Guarded | None:
    _, _, _, region, owner, name = arn.split(":", 5)
    bus = events_backends[owner][region].event_buses.get(name.removeprefix("event-bus/"))
    return Guarded(bus.policy, owner) if bus else None


def bus_allows(resource: str, caller: str, context: Context) -> bool:
    """Whether the policy of another account's bus lets the caller in. One that is not there is refused by its own service."""
    bus = _bus(resource)
    if bus is None or bus.owner == caller.split(":")[4]:
        return True
    return policies.lets_in(bus.policy, caller=caller, action="events:PutEvents", resource=resource, context=context)
