"""One model's copies on an endpoint that several models share, which move to a new version batch by batch, behind alarms.

The model has a generated name, as an endpoint's own has, and replaced ones stay: the way back needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnCondition, Fn
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.endpoint import STARTUP_SECONDS, outlives_replacement
from stacks.constructs.vpc_config import VpcConfig

NAMESPACE, WITHOUT_CAPACITY = "AWS/SageMaker", "NoCapacityInvocationFailures"
CONCURRENCY = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
GROW_SECONDS, SHRINK_SECONDS = 60, 300


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
        autoscaling.CfnScalingPolicy(
            self,
            "Concurrency",
            policy_name="concurrency-per-copy",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration={
                "targetValue": concurrency,
                "predefinedMetricSpecification": {"predefinedMetricType": CONCURRENCY},
                "scaleOutCooldown": GROW_SECONDS,
                "scaleInCooldown": SHRINK_SECONDS,
            },
        )
        if minimum == 0:
            self._wake(target)

    def _wake(self, target: autoscaling.CfnScalableTarget) -> None:
        policy = autoscaling.CfnScalingPolicy(
            self,
            "Wake",
            policy_name="wake",
            policy_type="StepScaling",
            scaling_target_id=target.ref,
            step_scaling_policy_configuration={
                "adjustmentType": "ChangeInCapacity",
                "metricAggregationType": "Maximum",
                "cooldown": GROW_SECONDS,
                "stepAdjustments": [{"metricIntervalLowerBound": 0, "scalingAdjustment": 1}],
            },
        )
        cloudwatch.CfnAlarm(
            self,
            "Asleep",
            alarm_description="A request came and there is no copy: not a fault, it starts one",
            namespace=NAMESPACE,
            metric_name=WITHOUT_CAPACITY,
            dimensions=[{"name": "InferenceComponentName", "value": str(self.component.inference_component_name)}],
            statistic="Sum",
            period=60,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.ref],
        )
