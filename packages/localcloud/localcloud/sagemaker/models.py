"""Models: what their one container is, with image and data taken from a model package where one is named."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.models import SageMakerModelBackend

from localcloud.core.errors import invalid
from localcloud.sagemaker import model_packages, state_changes, vpc
from localcloud.sagemaker.records import answer, keep, refuse
from localcloud.sagemaker.roles import assumable

_delete = SageMakerModelBackend.delete_model


def install() -> None:
    """Answer CreateModel, and tell of models that are deleted."""
    answer((create_model,))
    setattr(SageMakerModelBackend, "delete_model", delete_model)  # noqa: B010


def container(model: Any, account: str, region: str) -> dict[str, Any]:
    """The one container of a model, with image and data taken from its package when it names one.

    Raises an AWS error when the package is not there, not shared with the account, or not approved.
    """
    declared: dict[str, Any] = model.primary_container or model.containers[0]
    name = declared.get("ModelPackageName")
    if not name:
        return declared
    package = model_packages.find(name, account=account, region=region, action="sagemaker:CreateModel")
    if package.model_package_version and package.model_approval_status != "Approved":
        raise invalid(
            f"Model package {package.arn} cannot be deployed: its ModelApprovalStatus is {package.model_approval_status}, not Approved."
        )
    inner: dict[str, Any] = package.inference_specification["Containers"][0]
    return {**inner, "Environment": {**inner.get("Environment", {}), **declared.get("Environment", {})}}


def refuse_existing(held: dict[str, Any], name: str, what: str) -> None:
    """Raise an AWS error where `name` is taken."""
    if name in held:
        raise invalid(f"Cannot create already existing {what} {name}.")


def create_model(self: Any) -> ActionResult:
    request, held = self._get_params(), self.sagemaker_backend
    refuse_existing(held._models, request["ModelName"], "model")
    refuse(request, ("InferenceExecutionConfig",), "CreateModel")
    declared = [request["PrimaryContainer"]] if request.get("PrimaryContainer") else request.get("Containers", [])
    if len(declared) != 1:
        raise invalid(f"localcloud serves models of one container, not of {len(declared)}")
    refuse(declared[0], ("ModelDataSource", "AdditionalModelDataSources", "MultiModelConfig"), "a model's container")
    role = assumable(request.get("ExecutionRoleArn"))
    vpc.attach(self.current_account, self.region, role, request.get("VpcConfig"))
    record = keep(held.create_model, request)
    record.enable_network_isolation = record.EnableNetworkIsolation = request.get("EnableNetworkIsolation", False)
    try:
        container(record, self.current_account, self.region)
    except Exception:
        del held._models[request["ModelName"]]
        raise
    state_changes.model(record)
    return ActionResult(record.response_create)


def delete_model(self: Any, model_name: str) -> None:
    record = self._models.get(model_name)
    _delete(self, model_name)
    state_changes.model(record)
