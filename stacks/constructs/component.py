"""One model's copies on an endpoint that several models share, which move to a new version batch by batch, behind alarms.

The model has a generated name, as an endpoint's own has, and replaced ones stay: the way back needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnCondition, Fn
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.endpoint import STARTUP_SECONDS, outlives_replacement
from stacks.constructs.scaling_policy import GROW_SECONDS, Signal, track, wake
from stacks.constructs.vpc_config import VpcConfig

WITHOUT_CAPACITY = "NoCapacityInvocationFailures"
CONCURRENCY = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"


@dataclass(frozen=True, kw_only=True)
class Copies:
    """How many copies a new version begins with, and what one reserves of an instance."""

    count: int
    cores: float
    memory_mb: int
    accelerators: int


class Component(Construct):
    """An inference component, called `component_name`, on variant `variant` of the endpoint `endpoint_name`."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        component_name: str,
        endpoint_name: str,
        variant: str,
        container: Mapping[str, Any],
        role: iam.IRole,
        vpc: VpcConfig | None,
        copies: Copies,
    ) -> None:
        super().__init__(scope, name)
        self.model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            primary_container=dict(container),
            enable_network_isolation=True,
            vpc_config=vpc.sagemaker if vpc else None,
        )
        outlives_replacement(self.model)
        accelerators = {"numberOfAcceleratorDevicesRequired": copies.accelerators} if copies.accelerators else {}
        self.component = sagemaker.CfnInferenceComponent(
            self,
            "Component",
            inference_component_name=component_name,
            endpoint_name=endpoint_name,
            variant_name=variant,
            specification={
                "modelName": self.model.attr_model_name,
                "startupParameters": {"containerStartupHealthCheckTimeoutInSeconds": STARTUP_SECONDS},
                "computeResourceRequirements": {
                    "numberOfCpuCoresRequired": copies.cores,
                    "minMemoryRequiredInMb": copies.memory_mb,
                    **accelerators,
                },
            },
            runtime_config={"copyCount": copies.count},
        )

    def move_by(self, deployment: Mapping[str, Any], *, when: CfnCondition, otherwise: Mapping[str, Any]) -> None:
        """How new versions take over: two DeploymentConfigs in CloudFormation's spelling, and which of them it is."""
        self.component.add_property_override("DeploymentConfig", Fn.condition_if(when.logical_id, deployment, otherwise))

    def scale(self, *, minimum: int, maximum: int, concurrency: int) -> None:
        """Keep it between so many copies, and there at `concurrency` requests at a time for each.

        Of no copies there is no metric: the first comes when a request has failed for want of one ("Scale an endpoint to zero instances").
        """
        name = self.component.inference_component_name
        target = autoscaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:inference-component:DesiredCopyCount",
            resource_id=f"inference-component/{name}",
            min_capacity=minimum,
            max_capacity=maximum,
        )
        target.node.add_dependency(self.component)
        metric = {"predefinedMetricSpecification": {"predefinedMetricType": CONCURRENCY}}
        track(self, target, "Concurrency", "concurrency-per-copy", concurrency, metric)
        if minimum == 0:
            wake(self, target, _asleep(str(name)), cooldown=GROW_SECONDS)


def _asleep(component: str) -> Signal:
    return Signal(
        name="Asleep",
        description="A request came and there is no copy: not a fault, it starts one",
        metric=WITHOUT_CAPACITY,
        dimensions={"InferenceComponentName": component},
        statistic="Sum",
    )
