"""A SageMaker endpoint that moves to a new version behind alarms.

Model and endpoint configuration get generated names: SageMaker replaces them, never changes them, and a fixed name would
collide with the version that still serves. Replaced ones stay, so that a deployment SageMaker rolls back has a place to return to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnDeletionPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

STARTUP_SECONDS = 300  # for the container's first good /ping; without a limit a broken container hangs for an hour


class Endpoint(Construct):
    """One endpoint with one variant. `container` is a SageMaker container definition; `deployment` a blue/green update policy.

    `encrypt_volume`: false for instance types whose disk SageMaker cannot encrypt with a customer's key.
    `retain_count`: keep the number of instances that scaling has reached when the version changes.
    `rollback_alarms`: any of them ringing during a deployment brings the old version back.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint_name: str,
        variant: str,
        container: Mapping[str, str],
        role: iam.IRole,
        instance_type: str,
        instances: int,
        key: kms.IKey,
        encrypt_volume: bool,
        capture: s3.IBucket,
        capture_percent: int,
        deployment: Mapping[str, Any],
        retain_count: bool,
        rollback_alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, name)
        self.model = sagemaker.CfnModel(
            self, "Model", execution_role_arn=role.role_arn, primary_container=dict(container), enable_network_isolation=True
        )
        self.config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            kms_key_id=key.key_arn if encrypt_volume else None,
            production_variants=[
                {
                    "variantName": variant,
                    "modelName": self.model.attr_model_name,
                    "instanceType": instance_type,
                    "initialInstanceCount": instances,
                    "initialVariantWeight": 1,
                    "containerStartupHealthCheckTimeoutInSeconds": STARTUP_SECONDS,
                }
            ],
            data_capture_config=self._capture(capture, capture_percent, key),
        )
        for replaced in (self.model, self.config):
            replaced.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
            replaced.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        not_retained = ["DataCaptureConfig"] if retain_count else ["DataCaptureConfig", "DesiredInstanceCount"]
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=endpoint_name,
            endpoint_config_name=self.config.attr_endpoint_config_name,
            retain_all_variant_properties=True,
            exclude_retained_variant_properties=[{"variantPropertyType": kind} for kind in not_retained],
            deployment_config={
                "blueGreenUpdatePolicy": deployment,
                "autoRollbackConfiguration": {"alarms": [{"alarmName": alarm.alarm_name} for alarm in rollback_alarms]},
            },
        )

    @staticmethod
    def _capture(bucket: s3.IBucket, percent: int, key: kms.IKey) -> dict[str, Any]:
        return {
            "enableCapture": percent > 0,
            "initialSamplingPercentage": percent,
            "destinationS3Uri": f"s3://{bucket.bucket_name}/capture",
            "kmsKeyId": key.key_arn,
            "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
            "captureContentTypeHeader": {"csvContentTypes": ["text/csv"], "jsonContentTypes": ["application/json"]},
        }
