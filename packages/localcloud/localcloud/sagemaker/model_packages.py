"""Model packages that keep all that CreateModelPackage names, and that other accounts may read where their group's policy says so."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.models import ModelPackage
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.errors import error, invalid
from localcloud.iam import policies
from localcloud.sagemaker import state_changes
from localcloud.sagemaker.records import answer, backend

# Members of CreateModelPackage that moto drops.
DROPPED = (
    "ManagedStorageType",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
    "SecurityConfig",
    "SkipModelValidation",
    "SourceUri",
)
_create = SageMakerResponse.create_model_package
_describe = ModelPackage.gen_response_object
_policies: dict[tuple[str, str, str], str] = {}


def install() -> None:
    """Answer SageMaker's model package calls."""
    ModelPackage.gen_response_object = _describe_fully  # type: ignore[method-assign]
    answer((create_model_package, update_model_package, describe_model_package, delete_model_package, delete_model_package_group))
    answer((put_model_package_group_policy, get_model_package_group_policy, delete_model_package_group_policy))


def put_group_policy(account: str, region: str, group: str, policy: str) -> None:
    """Set the policy, JSON text, that says which other accounts may use a group's packages."""
    json.loads(policy)
    _policies[account, region, group] = policy


def find(name: str, *, account: str, region: str, action: str) -> Any:
    """moto's record of a package, by name or ARN, wherever it lives. Raises an AWS error when `account` may not do `action`."""
    owner, home = (name.split(":")[4], name.split(":")[3]) if name.startswith("arn:") else (account, region)
    packages = backend(owner, home).model_packages
    package = packages.get(backend(owner, home).model_package_name_mapping.get(name, name))
    if owner != account:
        group = name.rpartition("model-package/")[2].partition("/")[0]
        if not policies.lets_in(_policies.get((owner, home, group)), caller=f"arn:aws:iam::{account}:root", action=action):
            raise error(
                "AccessDeniedException",
                f"account {account} is not authorized to perform {action} on {name}: no resource-based policy allows it",
            )
    if package is None:
        raise invalid(f"ModelPackage {name} does not exist.")
    return package


def _describe_fully(self: Any) -> dict[str, Any]:
    return {**_describe(self), **getattr(self, "dropped", {})}


def _mine(self: Any, parameter: str, action: str) -> Any:
    return find(self._get_param(parameter), account=self.current_account, region=self.region, action=f"sagemaker:{action}")


def create_model_package(self: Any) -> ActionResult:
    request = self._get_params()
    if "ModelPackageGroupName" in request:
        request.setdefault("ModelApprovalStatus", "PendingManualApproval")
    result = _create(self)
    arn = result.result["ModelPackageArn"]  # type: ignore[index]
    package = self.sagemaker_backend.model_packages[arn]
    package.dropped = {k: request[k] for k in DROPPED if k in request}
    state_changes.package(package.gen_response_object())
    return result


def update_model_package(self: Any) -> ActionResult:
    request, package = self._get_params(), _mine(self, "ModelPackageArn", "UpdateModelPackage")
    if "ModelApprovalStatus" in request:
        package.set_model_approval_status(request["ModelApprovalStatus"])
    if "ApprovalDescription" in request:
        package.approval_description = request["ApprovalDescription"]
    if "InferenceSpecification" in request:
        package.inference_specification = request["InferenceSpecification"]
    package.customer_metadata_properties = {
        k: v
        for k, v in {**(package.customer_metadata_properties or {}), **request.get("CustomerMetadataProperties", {})}.items()
        if k not in request.get("CustomerMetadataPropertiesToRemove", [])
    }
    package.add_additional_inference_specifications(request.get("AdditionalInferenceSpecificationsToAdd"))
    package.dropped = {**getattr(package, "dropped", {}), **{k: request[k] for k in DROPPED if k in request}}
    package.modifications_done()
    state_changes.package(package.gen_response_object(), set(request) - {"ModelPackageArn"})
    return ActionResult({"ModelPackageArn": package.arn})


def describe_model_package(self: Any) -> ActionResult:
    return ActionResult(_mine(self, "ModelPackageName", "DescribeModelPackage").gen_response_object())


def delete_model_package(self: Any) -> ActionResult:
    package = _mine(self, "ModelPackageName", "DeleteModelPackage")
    owner = backend(package.arn.split(":")[4], package.arn.split(":")[3])
    del owner.model_packages[package.arn]
    owner.model_package_name_mapping.pop(package.arn, None)
    return EmptyResult()


def delete_model_package_group(self: Any) -> ActionResult:
    name, held = self._get_param("ModelPackageGroupName").rpartition("/")[2], self.sagemaker_backend
    held.describe_model_package_group(name)
    if any(p.model_package_group_name == name for p in held.model_packages.values()):
        raise error("ConflictException", f"Model Package Group {name} cannot be deleted since it still contains model packages")
    del held.model_package_groups[name]
    _policies.pop((self.current_account, self.region, name), None)
    return EmptyResult()


def _group(self: Any) -> tuple[str, str, str]:
    name = self._get_param("ModelPackageGroupName").rpartition("/")[2]
    self.sagemaker_backend.describe_model_package_group(name)
    return self.current_account, self.region, name


def put_model_package_group_policy(self: Any) -> ActionResult:
    group = _group(self)
    put_group_policy(*group, self._get_param("ResourcePolicy"))
    return ActionResult({"ModelPackageGroupArn": self.sagemaker_backend.model_package_groups[group[2]].arn})


def get_model_package_group_policy(self: Any) -> ActionResult:
    group = _group(self)
    if group not in _policies:
        raise invalid(f"Cannot find resource policy for: {group[2]}")
    return ActionResult({"ResourcePolicy": _policies[group]})


def delete_model_package_group_policy(self: Any) -> ActionResult:
    _policies.pop(_group(self), None)
    return EmptyResult()
