"""SageMaker that runs: jobs, pipelines and endpoints as processes of images that were built on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
from botocore import xform_name
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from localcloud.errors import invalid
from localcloud.sagemaker import cards, endpoints, invocations, jobs, packages, pipelines
from localcloud.sagemaker.endpoints import endpoint_gone as endpoint_gone
from localcloud.sagemaker.endpoints import wait_endpoint as wait_endpoint
from localcloud.sagemaker.packages import put_group_policy as put_group_policy

# moto answers these with records of work that nobody does.
FAKED = (
    "CreateAutoMLJobV2",
    "CreateCluster",
    "CreateCompilationJob",
    "CreateDataQualityJobDefinition",
    "CreateDomain",
    "CreateFeatureGroup",
    "CreateHyperParameterTuningJob",
    "CreateModelBiasJobDefinition",
    "CreateModelExplainabilityJobDefinition",
    "CreateModelQualityJobDefinition",
    "CreateNotebookInstance",
    "CreateTransformJob",
    "StartNotebookInstance",
    "StopAutoMLJob",
)


def install() -> None:
    """Put this package in the place of what moto only records; what neither does is refused by its name."""
    for part in (jobs, pipelines, packages, cards, endpoints, invocations):
        part.install()
    for service, responses in (("sagemaker", SageMakerResponse), ("sagemaker-runtime", SageMakerRuntimeResponse)):
        for operation in botocore.session.Session().get_service_model(service).operation_names:
            if operation in FAKED or operation == "InvokeEndpointAsync" or not hasattr(responses, xform_name(operation)):
                setattr(responses, xform_name(operation), _refusal(operation))


def shutdown() -> None:
    """Stop every execution, job and endpoint."""
    for part in (pipelines, jobs, endpoints):
        part.shutdown()


def _refusal(operation: str) -> Callable[[Any], Any]:
    def refused(self: Any) -> Any:
        raise invalid(f"localcloud does not do {operation}")

    return refused
