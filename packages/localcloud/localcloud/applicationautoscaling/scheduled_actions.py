"""Scheduled actions: at their times the capacities of a target change, and the fleet with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend

from localcloud.applicationautoscaling import capacity
from localcloud.core import clock
from localcloud.core.schedules import follow

_moto_put = ApplicationAutoscalingBackend.put_scheduled_action
_moto_delete = ApplicationAutoscalingBackend.delete_scheduled_action


def install() -> None:
    """Let scheduled actions act."""
    backend: Any = ApplicationAutoscalingBackend
    backend.put_scheduled_action, backend.delete_scheduled_action = _put, _delete


def _key(self: Any, namespace: str, name: str, resource: str, dimension: str) -> tuple[str, ...]:
    return ("schedule", self.account_id, self.region_name, namespace, name, resource, dimension)


def _put(
    self: Any,
    service_namespace: str,
    schedule: str,
    timezone: str,
    scheduled_action_name: str,
    resource_id: str,
    scalable_dimension: str,
    start_time: float | None,
    end_time: float | None,
    scalable_target_action: dict[str, int],
) -> None:
    capacity.require_target(self, resource_id, scalable_dimension)
    args = (service_namespace, schedule, timezone, scheduled_action_name, resource_id, scalable_dimension, start_time, end_time)

    def act(_at: datetime) -> bool:
        target = self.targets[scalable_dimension][resource_id]
        target.update(scalable_target_action.get("MinCapacity"), scalable_target_action.get("MaxCapacity"), None)
        count = capacity.count(self.account_id, self.region_name, resource_id)
        wanted = capacity.within(target, count, count)
        cause = f"scheduled action name {scheduled_action_name} was triggered"
        return wanted == count or capacity.resize(self.account_id, self.region_name, resource_id, wanted, cause)

    key = _key(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension)
    follow(key, schedule, act, timezone=timezone, start=start_time, end=end_time)
    _moto_put(self, *args, scalable_target_action)  # type: ignore[arg-type]


def _delete(self: Any, service_namespace: str, scheduled_action_name: str, resource_id: str, scalable_dimension: str) -> None:
    clock.drop(_key(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension))
    _moto_delete(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension)
