"""SageMaker's calls about inference components, answered from copies that run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.errors import invalid
from localcloud.core.validation import check
from localcloud.sagemaker import components
from localcloud.sagemaker.components import Component
from localcloud.sagemaker.records import answer, backend, refuse

UNKNOWN = ("BaseInferenceComponentName", "DataCacheConfig", "SchedulingConfig", "InstanceType")
LISTED: dict[str, Callable[[Component, str], bool]] = {
    "EndpointNameEquals": lambda component, value: component.endpoint.name == value,
    "VariantNameEquals": lambda component, value: component.variant == value,
    "NameContains": lambda component, value: value in component.name,
    "StatusEquals": lambda component, value: component.status == value,
}


def install() -> None:
    """Answer what moto does not."""
    answer((create_inference_component, describe_inference_component, list_inference_components, delete_inference_component))
    answer((update_inference_component, update_inference_component_runtime_config))


def create_inference_component(self: Any) -> ActionResult:
    request, account, region = self._get_params(), self.current_account, self.region
    name = request["InferenceComponentName"]
    if components.exists(account, region, name):
        raise invalid(f"Cannot create already existing inference component {name}.")
    refuse(request, ("Specifications",), "CreateInferenceComponent")
    if missing := [member for member in ("VariantName", "Specification", "RuntimeConfig") if not request.get(member)]:
        raise invalid(f"{', '.join(missing)} needed by inference component {name}")
    _check(request["Specification"], account, region)
    check("sagemaker", "InferenceComponentRuntimeConfig", request["RuntimeConfig"])
    return ActionResult({"InferenceComponentArn": components.create(account, region, request).arn})


def describe_inference_component(self: Any) -> ActionResult:
    component = _find(self)
    requirements = {k: v for k, v in component.specification.items() if k in ("ComputeResourceRequirements", "StartupParameters")}
    image = component.live.image if component.live else ""
    deployed = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": component.changed}
    declared = component.specification.get("Container", {})
    shown = {
        **_summary(component),
        "EndpointArn": component.endpoint.record.arn,
        "FailureReason": component.failure,
        "Specification": {
            **({"ModelName": component.specification["ModelName"]} if "ModelName" in component.specification else {}),
            "Container": {**({"DeployedImage": deployed} if image else {}), **{k: v for k, v in declared.items() if k != "Image"}},
            **requirements,
        },
        "RuntimeConfig": {"DesiredCopyCount": component.count, "CurrentCopyCount": component.running},
        "LastDeploymentConfig": component.deployment or None,
    }
    return ActionResult({k: v for k, v in shown.items() if v is not None})


def list_inference_components(self: Any) -> ActionResult:
    request = {k: v for k, v in self._get_params().items() if v is not None}
    if unknown := sorted(request.keys() - LISTED.keys()):
        raise invalid(f"localcloud cannot honour {', '.join(unknown)} of ListInferenceComponents")
    every = components.every(self.current_account, self.region)
    matching = [component for component in every if all(LISTED[k](component, v) for k, v in request.items())]
    return ActionResult({"InferenceComponents": [_summary(component) for component in matching]})


def update_inference_component(self: Any) -> ActionResult:
    request, component = self._get_params(), _find(self)
    refuse(request, ("Specifications",), "UpdateInferenceComponent")
    count = int(request.get("RuntimeConfig", {}).get("CopyCount", component.count))
    if specification := request.get("Specification"):
        _check(specification, self.current_account, self.region)
        component.update(specification, count, request.get("DeploymentConfig") or {})
    else:
        component.rescale(count)
    return ActionResult({"InferenceComponentArn": component.arn})


def update_inference_component_runtime_config(self: Any) -> ActionResult:
    component, wanted = _find(self), self._get_param("DesiredRuntimeConfig")
    check("sagemaker", "InferenceComponentRuntimeConfig", wanted)
    component.rescale(int(wanted["CopyCount"]))
    return ActionResult({"InferenceComponentArn": component.arn})


def delete_inference_component(self: Any) -> ActionResult:
    components.delete(self.current_account, self.region, self._get_param("InferenceComponentName"))
    return EmptyResult()


def _find(self: Any) -> Component:
    return components.find(self.current_account, self.region, self._get_param("InferenceComponentName"))


def _check(specification: dict[str, Any], account: str, region: str) -> None:
    """Raise an AWS error for a specification that SageMaker refuses, or localcloud cannot carry out."""
    check("sagemaker", "InferenceComponentSpecification", specification)
    refuse(specification, UNKNOWN, "an inference component's Specification")
    if not (requirements := specification.get("ComputeResourceRequirements")):
        raise invalid("Specification.ComputeResourceRequirements is needed by an inference component that has no base")
    refuse(requirements, ("AcceleratorPartitionType",), "ComputeResourceRequirements")
    if requirements.get("MaxMemoryRequiredInMb", requirements["MinMemoryRequiredInMb"]) < requirements["MinMemoryRequiredInMb"]:
        raise invalid("ComputeResourceRequirements: MaxMemoryRequiredInMb is less than MinMemoryRequiredInMb")
    if ("ModelName" in specification) == ("Container" in specification):
        raise invalid("Specification: localcloud takes ModelName or Container, one of them")
    if "Container" in specification:
        refuse(specification["Container"], ("ContainerMetricsConfig",), "an inference component's Container")
    else:
        backend(account, region).describe_model(specification["ModelName"])


def _summary(component: Component) -> dict[str, Any]:
    return {
        "InferenceComponentName": component.name,
        "InferenceComponentArn": component.arn,
        "EndpointArn": component.endpoint.record.arn,
        "EndpointName": component.endpoint.name,
        "VariantName": component.variant,
        "CreationTime": component.created,
        "LastModifiedTime": component.changed,
        "InferenceComponentStatus": component.status,
    }
