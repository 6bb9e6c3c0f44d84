"""SageMaker's endpoint calls, answered from fleets that run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import botocore.session
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend, sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.errors import invalid
from localcloud.core.late_reads import Kind
from localcloud.core.validation import check
from localcloud.sagemaker import components, endpoints, on_demand, placement, shared, state_changes, vpc
from localcloud.sagemaker.models import refuse_existing
from localcloud.sagemaker.records import answer, keep, refuse
from localcloud.sagemaker.roles import assumable

_describe_endpoint = SageMakerResponse.describe_endpoint
_models_there = SageMakerModelBackend.validate_production_variants
_describe_config, _delete_config = SageMakerModelBackend.describe_endpoint_config, SageMakerModelBackend.delete_endpoint_config


def install() -> None:
    """Put these answers in the place of moto's."""
    setattr(FakeEndpointConfig, "validate_instance_type", _check_instance_type)  # noqa: B010  its own list of types is years old
    answer((create_endpoint_config, create_endpoint, describe_endpoint, update_endpoint, delete_endpoint))
    answer((update_endpoint_weights_and_capacities,))
    setattr(SageMakerModelBackend, "validate_production_variants", _check_models)  # noqa: B010
    setattr(SageMakerModelBackend, "describe_endpoint_config", _of_config(_describe_config))  # noqa: B010
    setattr(SageMakerModelBackend, "delete_endpoint_config", _of_config(_deleted))  # noqa: B010


@functools.cache
def _instance_types() -> frozenset[str]:
    return frozenset(botocore.session.Session().get_service_model("sagemaker").shape_for("ProductionVariantInstanceType").enum)  # type: ignore[attr-defined]


def _check_instance_type(_self: Any, instance_type: str) -> None:
    if instance_type not in _instance_types():
        raise invalid(f"Value '{instance_type}' at 'instanceType' failed to satisfy constraint: Member must satisfy enum value set")


def _check_models(self: Any, variants: list[dict[str, Any]]) -> None:
    """As moto, of the variants that name a model: those for inference components do not."""
    _models_there(self, [variant for variant in variants if "ModelName" in variant])


def _of_config(call: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """moto's call about a configuration, which says as SageMaker does that there is none."""

    def called(self: Any, endpoint_config_name: str) -> Any:
        if endpoint_config_name not in self.endpoint_configs:
            raise _no_config(FakeEndpointConfig.arn_formatter(endpoint_config_name, self.account_id, self.region_name))
        return call(self, endpoint_config_name)

    return called


def _no_config(arn: str) -> JsonRESTError:
    return invalid(f'Could not find endpoint configuration "{arn}".')


def _require_config(self: Any, request: dict[str, Any]) -> None:
    """The configuration that a request names must be there, and be seen: SageMaker reads it from a table that may lag."""
    name = request["EndpointConfigName"]
    self.sagemaker_backend.describe_endpoint_config(name)
    arn = FakeEndpointConfig.arn_formatter(name, self.current_account, self.region)
    if CONFIGS.stale(self.current_account, self.region).get(arn, arn) is None:
        raise _no_config(arn)


def _configs(account: str, region: str) -> dict[str, bool]:
    return {
        FakeEndpointConfig.arn_formatter(name, account, region): True for name in list(sagemaker_backends[account][region].endpoint_configs)
    }


CONFIGS = Kind("sagemaker", "SageMaker API reference, CreateEndpointConfig", _configs)


def _deleted(self: Any, endpoint_config_name: str) -> Any:
    record = self.endpoint_configs[endpoint_config_name]
    answer = _delete_config(self, endpoint_config_name)
    state_changes.endpoint_config(record)
    return answer


def create_endpoint_config(self: Any) -> ActionResult:
    request, held = self._get_params(), self.sagemaker_backend
    refuse_existing(held.endpoint_configs, request["EndpointConfigName"], "endpoint configuration")
    refuse(request, ("ExplainerConfig",), "CreateEndpointConfig")
    _check_queue(request)
    shadows = request.get("ShadowProductionVariants") or []
    if shadows and (len(shadows) > 1 or len(request["ProductionVariants"]) > 1):
        raise invalid("one production variant can have one shadow variant: found more")
    names = [v["VariantName"] for v in [*request["ProductionVariants"], *shadows]]
    if len(set(names)) < len(names):
        raise invalid(f"the names of variants must differ: found {', '.join(names)}")
    for variant in [*request["ProductionVariants"], *shadows]:
        refuse(variant, ("InstancePools",), f"variant {variant['VariantName']}")
    shared.check(request)
    if role := request.get("ExecutionRoleArn"):
        vpc.attach(self.current_account, self.region, assumable(role), request.get("VpcConfig"))
    on_demand.check(request, held.describe_model, self.current_account, self.region)
    record = keep(held.create_endpoint_config, request)
    state_changes.endpoint_config(record)
    return ActionResult(record.response_create)


def _check_queue(request: dict[str, Any]) -> None:
    """Raise an AWS error for what asynchronous endpoints do not have ("Supported features" of SageMaker's guide)."""
    config = request.get("AsyncInferenceConfig")
    if not config:
        return
    check("sagemaker", "AsyncInferenceConfig", config)
    if request.get("ShadowProductionVariants") or len(request["ProductionVariants"]) > 1:
        raise invalid("an asynchronous endpoint has one production variant and no shadow variant")
    if request.get("DataCaptureConfig"):
        raise invalid("an asynchronous endpoint does not support DataCaptureConfig")


def create_endpoint(self: Any) -> ActionResult:
    request = self._get_params()
    refuse_existing(self.sagemaker_backend.endpoints, request["EndpointName"], "endpoint")
    _require_config(self, request)
    endpoint = endpoints.create(self.current_account, self.region, request)
    return ActionResult({"EndpointArn": endpoint.record.arn})


def describe_endpoint(self: Any) -> Any:
    endpoints.find(self.current_account, self.region, self._get_param("EndpointName")).look()
    return _describe_endpoint(self)


def update_endpoint(self: Any) -> ActionResult:
    endpoint = endpoints.find(self.current_account, self.region, self._get_param("EndpointName"))
    request = self._get_params()
    _require_config(self, request)
    endpoint.update(request)
    return ActionResult({"EndpointArn": endpoint.record.arn})


def update_endpoint_weights_and_capacities(self: Any) -> ActionResult:
    endpoint = endpoints.find(self.current_account, self.region, self._get_param("EndpointName"))
    endpoint.rescale(self._get_param("DesiredWeightsAndCapacities"))
    return ActionResult({"EndpointArn": endpoint.record.arn})


def delete_endpoint(self: Any) -> ActionResult:
    name = self._get_param("EndpointName")
    endpoints.find(self.current_account, self.region, name)
    self.sagemaker_backend.delete_endpoint(name)
    components.leave(self.current_account, self.region, name)
    endpoints.delete(self.current_account, self.region, name)
    placement.forget(self.current_account, self.region, name)
    return EmptyResult()
