"""Two steps that the SageMaker SDK cannot say by itself: a training job with arguments, and a registration without an account."""

from __future__ import annotations

from typing import Any

from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow.retry import RetryPolicy
from sagemaker.mlops.workflow.steps import ConfigurableRetryStep, StepTypeEnum, TrainingStep

from paved_runtime.protocol import ENTRYPOINT


class CommandTrainingStep(TrainingStep):  # type: ignore[misc]  # the SDK has no types
    """A training job whose container gets `command` as its arguments. The SDK sets arguments only for source code it uploads.

    SageMaker's page on running a training image names arguments only together with an entry point, so the image's own is said again.
    """

    def __init__(self, name: str, *, command: list[str], step_args: object, retry_policies: list[RetryPolicy]) -> None:
        super().__init__(name, step_args=step_args, retry_policies=retry_policies)
        self._command = command

    @property
    def arguments(self) -> dict[str, Any]:
        """The request for CreateTrainingJob."""
        request: dict[str, Any] = super().arguments
        request["AlgorithmSpecification"] |= {"ContainerEntrypoint": list(ENTRYPOINT), "ContainerArguments": self._command}
        return request


class RegisterStep(ConfigurableRetryStep):  # type: ignore[misc]
    """Registers a model package with the given request for CreateModelPackage. The SDK's own needs a model server to look into."""

    def __init__(self, name: str, *, request: dict[str, Any], retry_policies: list[RetryPolicy]) -> None:
        super().__init__(name, StepTypeEnum.REGISTER_MODEL, retry_policies=retry_policies)
        self._request = request

    @property
    def arguments(self) -> dict[str, Any]:
        """The request for CreateModelPackage."""
        return self._request

    @property
    def properties(self) -> Properties:
        """What DescribeModelPackage will say."""
        return Properties(step_name=self.name, step=self, shape_name="DescribeModelPackageOutput")
