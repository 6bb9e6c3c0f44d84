"""What tests of inference components do: endpoints that several share, components, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, described, packed
from localcloud.testing.waiting import until

UNDER_WAY = ("Creating", "Updating", "Deleting")
SMALL = {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": 1024}


def shared(aws: Accounts, endpoint: str, *, least: int = 0, most: int = 2, kind: str = "ml.m7i.large", **more: Any) -> str:
    """An endpoint for inference components of that name, and its configuration of that name; returns it once it serves."""
    sagemaker = aws.client("sagemaker")
    scaling = {"Status": "ENABLED", "MinInstanceCount": least, "MaxInstanceCount": most}
    variant = {"VariantName": "live", "InstanceType": kind, "InitialInstanceCount": 1, "ManagedInstanceScaling": scaling}
    more = {"ExecutionRoleArn": aws.worker(), "EnableNetworkIsolation": True} | more
    sagemaker.create_endpoint_config(EndpointConfigName=endpoint, ProductionVariants=[variant], **more)
    sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
    described(aws, endpoint)
    return endpoint


def specified(aws: Accounts, image: str, version: str = "one", requirements: Json | None = None, **environment: str) -> Json:
    """The Specification of a component whose container says that version."""
    container = {"Image": image, "ArtifactUrl": packed(aws, version), "Environment": environment}
    return {"Container": container, "ComputeResourceRequirements": requirements or SMALL}


def component(aws: Accounts, endpoint: str, name: str, specification: Json, copies: int = 1) -> str:
    """Create a component and wait until it serves, or has failed; returns its name."""
    aws.client("sagemaker").create_inference_component(
        InferenceComponentName=name,
        EndpointName=endpoint,
        VariantName="live",
        Specification=specification,
        RuntimeConfig={"CopyCount": copies},
    )
    settled(aws, name)
    return name


def settled(aws: Accounts, name: str) -> Json:
    """The component, once nothing is under way."""

    def look() -> Json | None:
        description: Json = aws.client("sagemaker").describe_inference_component(InferenceComponentName=name)
        return None if description["InferenceComponentStatus"] in UNDER_WAY else description

    description: Json = until(look)
    return description


def rolling(percent: int, wait: int, *alarms: str) -> Json:
    """An InferenceComponentDeploymentConfig of batches of so many percent, which bake for `wait` seconds."""
    guarded = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm} for alarm in alarms]}} if alarms else {}
    batch = {"Type": "CAPACITY_PERCENT", "Value": percent}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait}, **guarded}


def version_of(aws: Accounts, endpoint: str, name: str, body: str = "hello") -> str:
    """The version of the model that answers as that component."""
    answer = aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, InferenceComponentName=name, Body=body)
    return str(json.loads(answer["Body"].read())["model"]["version"])


def instances(aws: Accounts, endpoint: str) -> int:
    """How many instances a shared endpoint has."""
    variants = aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    return int(variants[0]["CurrentInstanceCount"])
