"""Steps that the SageMaker SDK cannot say by itself: a training job with arguments, a search whose trials are another step's jobs, and a
registration without an account.
"""

from __future__ import annotations

from typing import Any

from sagemaker.core.config.config_manager import SageMakerConfig
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow.retry import RetryPolicy
from sagemaker.mlops.workflow.steps import ConfigurableRetryStep, StepTypeEnum, TrainingStep

from paved_runtime.protocol import ENTRYPOINT

OF_TRIALS = (  # members of CreateTrainingJob that a trial has, too. Not checkpoints: one trial must not go on with another's
    *("RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "Environment"),
    *("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption"),
)
SageMakerConfig.validate_sagemaker_config = staticmethod(lambda _: None)  # a session does it; at each look-up it is half of a definition
KEPT_WARM = "KeepAlivePeriodInSeconds"  # a warm pool is for the training itself


class CommandTrainingStep(TrainingStep):  # type: ignore[misc]  # the SDK has no types
    """A training job whose container gets `command` as its arguments. The SDK sets arguments only for source code it uploads.

    SageMaker's page on running a training image names arguments only together with an entry point, so the image's own is said again.
    """

    def __init__(self, name: str, *, command: list[str], step_args: object, retry_policies: list[RetryPolicy]) -> None:
        super().__init__(name, step_args=step_args, retry_policies=retry_policies)
        self._command, self._hyperparameters = command, dict[str, Any]()

    def replace(self, hyperparameters: dict[str, Any]) -> None:
        """Have these in the place of what the arguments say: references to what another step found."""
        self._hyperparameters = hyperparameters

    @property
    def arguments(self) -> dict[str, Any]:
        """The request for CreateTrainingJob."""
        request: dict[str, Any] = super().arguments
        request["AlgorithmSpecification"] |= {"ContainerEntrypoint": list(ENTRYPOINT), "ContainerArguments": self._command}
        request["HyperParameters"] = {**request["HyperParameters"], **self._hyperparameters}
        return request


class SearchStep(ConfigurableRetryStep):  # type: ignore[misc]
    """A search for good hyperparameters. Its trials are like the training job of `trial`, as isolated and as encrypted.

    `config` is the HyperParameterTuningJobConfig; hyperparameters that it has no range of are as in `trial`.
    """

    def __init__(self, name: str, *, trial: TrainingStep, config: dict[str, Any], retry_policies: list[RetryPolicy]) -> None:
        super().__init__(name, StepTypeEnum.TUNING, retry_policies=retry_policies)
        self._trial, self._config = trial, config

    @property
    def arguments(self) -> dict[str, Any]:
        """The request for CreateHyperParameterTuningJob."""
        request = dict(self._trial.arguments)
        searched = {each["Name"] for ranges in self._config["ParameterRanges"].values() for each in ranges}
        algorithm = {name: request["AlgorithmSpecification"][name] for name in ("TrainingImage", "TrainingInputMode", "MetricDefinitions")}
        return {
            "HyperParameterTuningJobConfig": self._config,
            "TrainingJobDefinition": {
                **{name: request[name] for name in OF_TRIALS if name in request},
                "ResourceConfig": {name: value for name, value in request["ResourceConfig"].items() if name != KEPT_WARM},
                "StoppingCondition": {"MaxRuntimeInSeconds": request["StoppingCondition"]["MaxRuntimeInSeconds"]},
                "AlgorithmSpecification": algorithm,
                "StaticHyperParameters": {name: value for name, value in request["HyperParameters"].items() if name not in searched},
            },
        }

    @property
    def properties(self) -> Properties:
        """What DescribeHyperParameterTuningJob will say."""
        return Properties(step_name=self.name, step=self, shape_name="DescribeHyperParameterTuningJobResponse")


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
