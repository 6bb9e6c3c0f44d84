"""The counts of instances and of copies that are scaled: whose they are, how they are changed, and the activities that this leaves."""

from __future__ import annotations

import json
import time
import uuid
from enum import Enum
from typing import Any

from moto.applicationautoscaling import models, responses
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from localcloud.core.errors import error
from localcloud.sagemaker import components, endpoints

DIMENSION, COPIES = "sagemaker:variant:DesiredInstanceCount", "sagemaker:inference-component:DesiredCopyCount"
_moto_register = ApplicationAutoscalingBackend.register_scalable_target
_moto_deregister = ApplicationAutoscalingBackend.deregister_scalable_target
_enum: Any = Enum  # its members are moto's and one more
DIMENSIONS = _enum("DIMENSIONS", {each.name: each.value for each in models.ScalableDimensionValueSet} | {"COPIES": COPIES})
_activities: list[dict[str, Any]] = []


def install() -> None:
    """Know the endpoints behind scalable targets, and tell of what was scaled."""
    backend: Any = ApplicationAutoscalingBackend
    backend.register_scalable_target, backend.deregister_scalable_target = _register, _deregister
    for module in (models, responses):  # moto knows no inference components
        setattr(module, "ScalableDimensionValueSet", DIMENSIONS)  # noqa: B010
    answers: Any = ApplicationAutoScalingResponse
    answers.describe_scaling_activities = _describe_scaling_activities


def dimensions(resource: str) -> list[dict[str, str]]:
    """The dimensions of a resource's metrics: `endpoint/E/variant/V` has two, `inference-component/C` one."""
    kinds = {"endpoint": "EndpointName", "variant": "VariantName", "inference-component": "InferenceComponentName"}
    parts = resource.split("/")
    return [{"Name": kinds[kind], "Value": name} for kind, name in zip(parts[::2], parts[1::2], strict=True)]


def count(account: str, region: str, resource: str) -> int:
    """How many instances a variant, or copies an inference component, is to have now. Raises an AWS error where there is no such."""
    if component := _component(resource):
        return components.find(account, region, component).count
    _, endpoint, _, variant = resource.split("/")
    return endpoints.find(account, region, endpoint).variant(variant).count


def _component(resource: str) -> str | None:
    kind, _, name = resource.partition("/")
    return name if kind == "inference-component" else None


def require_target(backend: Any, resource: str, dimension: str) -> None:
    """Raise an AWS error where there is no scalable target."""
    if resource not in backend.targets.get(dimension, {}):
        raise error("ObjectNotFoundException", f"No scalable target found for resource ID: {resource}")


def within(target: Any, wanted: int, count: int) -> int:
    """`wanted` instances or copies, or the nearest that the target's capacities allow; `count` is how many there are."""
    return int(min(max(wanted, target.min_capacity or 0), target.max_capacity or count))


def resize(account: str, region: str, resource: str, count: int, cause: str) -> bool:
    """Ask SageMaker for `count` instances or copies; whether it could be asked."""
    try:
        _ask(account, region, resource, count)
    except JsonRESTError:  # an update is under way: the alarm goes on, the schedule tries again
        return False
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource,
        "ScalableDimension": COPIES if _component(resource) else DIMENSION,
        "Description": f"Setting desired {'copy' if _component(resource) else 'instance'} count to {count}.",
        "Cause": cause,
        "StartTime": time.time(),
        "StatusCode": "Successful",
    }
    _activities.append(activity | {"account": account, "region": region})
    return True


def _ask(account: str, region: str, resource: str, count: int) -> None:
    if component := _component(resource):
        return components.find(account, region, component).rescale(count)
    _, endpoint, _, variant = resource.split("/")
    return endpoints.find(account, region, endpoint).rescale([{"VariantName": variant, "DesiredInstanceCount": count}])


def _register(self: Any, namespace: str, r_id: str, dimension: str, *rest: Any, **members: Any) -> Any:
    if namespace == "sagemaker":
        count(self.account_id, self.region_name, r_id)
    return _moto_register(self, namespace, r_id, dimension, *rest, **members)


def _deregister(self: Any, namespace: str, r_id: str, dimension: str) -> None:
    """As AWS: the target's policies and scheduled actions go with it."""
    _moto_deregister(self, namespace, r_id, dimension)
    for policy in [p for p in self.policies.values() if (p.resource_id, p.scalable_dimension) == (r_id, dimension)]:
        self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)
    for action in [a for a in self.scheduled_actions if (a.resource_id, a.scalable_dimension) == (r_id, dimension)]:
        self.delete_scheduled_action(namespace, action.scheduled_action_name, r_id, dimension)


def _describe_scaling_activities(self: Any) -> str:
    request = json.loads(self.body)
    here = {"account": self.current_account, "region": self.region, "ServiceNamespace": request["ServiceNamespace"]}
    here |= {k: request[k] for k in ("ResourceId", "ScalableDimension") if k in request}
    matching = [a for a in reversed(_activities) if here.items() <= a.items()]
    return json.dumps({"ScalingActivities": [{k: v for k, v in a.items() if k not in ("account", "region")} for a in matching]})
