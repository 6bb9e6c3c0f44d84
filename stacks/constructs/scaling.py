"""An endpoint that grows and shrinks with its traffic."""

from __future__ import annotations

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

GROW_SECONDS, SHRINK_SECONDS = 60, 300


class Scaling(Construct):
    """Keeps a variant near `invocations_per_instance` requests a minute, between `minimum` and `maximum` instances."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        variant: str,
        minimum: int,
        maximum: int,
        invocations_per_instance: int,
    ) -> None:
        super().__init__(scope, name)
        target = autoscaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint.attr_endpoint_name}/variant/{variant}",
            min_capacity=minimum,
            max_capacity=maximum,
        )
        autoscaling.CfnScalingPolicy(
            self,
            "Policy",
            policy_name="invocations",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration={
                "targetValue": invocations_per_instance,
                "predefinedMetricSpecification": {"predefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
                "scaleOutCooldown": GROW_SECONDS,
                "scaleInCooldown": SHRINK_SECONDS,
            },
        )
