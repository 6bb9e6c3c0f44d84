"""What neither moto nor localcloud carries out is refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
from botocore import xform_name
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from localcloud.core.errors import invalid

# moto answers these with records of work that nobody does.
FAKED = (
    "CreateAutoMLJobV2",
    "CreateCluster",
    "CreateCompilationJob",
    "CreateDataQualityJobDefinition",
    "CreateDomain",
    "CreateModelBiasJobDefinition",
    "CreateModelExplainabilityJobDefinition",
    "CreateModelQualityJobDefinition",
    "CreateNotebookInstance",
    "StartNotebookInstance",
    "StopAutoMLJob",
)


def install() -> None:
    """Refuse what is not carried out."""
    for service, responses in (("sagemaker", SageMakerResponse), ("sagemaker-runtime", SageMakerRuntimeResponse)):
        for operation in botocore.session.Session().get_service_model(service).operation_names:
            if operation in FAKED or not hasattr(responses, xform_name(operation)):
                setattr(responses, xform_name(operation), _refusal(operation))


def _refusal(operation: str) -> Callable[[Any], Any]:
    def refused(self: Any) -> Any:
        raise invalid(f"localcloud does not do {operation}")

    return refused
