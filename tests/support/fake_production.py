"""One endpoint, its stack and its alarms in memory: CloudFormation, SageMaker and CloudWatch as far as a rollback needs them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import naming
from pipelines.deployment import stack as stacks
from pipelines.deployment.stack import Stack
from pipelines.serving_stack import ServingOutputs, ServingParameters
from tests.reference import CONFIG, MODEL
from tests.support.fakes import Anything, Paginator, refusal

ENVIRONMENT = CONFIG.environments[-1]
STACK, ENDPOINT = naming.serving_stack(CONFIG, MODEL, ENVIRONMENT), naming.endpoint(CONFIG, MODEL, ENVIRONMENT)
BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)
Json = dict[str, Any]


@dataclass
class Production(Anything):  # type: ignore[misc]
    """`configs` maps configuration → model package; the newest one is the stack's, `serves` is what really answers.

    `foreign` is what `serves` names where a hand has put a model there that no version made. While `gone` there is no endpoint.
    `goes_back`: SageMaker takes every deployment back; `failure` is the reason it gives. `loud` maps an alarm that is in ALARM → reason;
    `scored` is what ScoredRows sums up to.
    """

    parameters: dict[str, str]
    configs: dict[str, str]
    serves: str = ""
    goes_back: bool = False
    failure: str = ""
    status: str = "UPDATE_COMPLETE"
    loud: dict[str, str] = field(default_factory=dict)
    scored: list[int] = field(default_factory=lambda: [0])
    endpoint_made: datetime = BEGAN - timedelta(days=9)
    endpoint_status: str = "InService"
    gone: bool = False
    foreign: dict[str, str] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    moved_by_hand: list[str] = field(default_factory=list)

    @classmethod
    def serving(cls, package: str, **changes: str) -> Production:
        """A production in which one package serves. Its stack takes approved packages, so it has no parameters for a package's parts."""
        known = {"model_package_arn": package, "model_version": "0" * 12, **changes}
        values = ServingParameters(**known).values()
        left_out = {"ImageUri", "ModelDataUrl", "ShadowModelPackageArn"}
        return cls(
            parameters={name: value for name, value in values.items() if name not in left_out},
            configs={"config-1": package},
            serves="config-1",
        )

    @property
    def version(self) -> ServingParameters:
        """What the stack was deployed with."""
        return ServingParameters.read(self.parameters)

    @property
    def outputs(self) -> ServingOutputs:
        """What the stack says of itself."""
        config = list(self.configs)[-1]
        return ServingOutputs(
            endpoint_name=ENDPOINT,
            endpoint_config_name=config,
            model_package=self.version.model_package_arn,
            model_version=self.version.model_version,
            previous_model_version=self.version.previous_model_version,
            rollback_alarms=f"{config}-ServerErrors,{config}-ScoreShift",
            log_group=f"/aws/sagemaker/Endpoints/{ENDPOINT}",
            capture_bucket="capture",
        )

    @property
    def stack(self) -> Stack:
        """The stack as it is read."""
        stack = stacks.read(self, STACK)
        assert stack
        return stack

    @property
    def answers(self) -> str:
        """The package that answers requests."""
        return self.configs[self.serves]

    # CloudFormation

    def describe_stacks(self, *, StackName: str, **_: Any) -> Json:  # noqa: N803  # boto3's names
        if StackName != STACK:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.values().items()]
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        return {"Stacks": [{"StackStatus": self.status, "Outputs": outputs, "Parameters": parameters}]}

    def update_stack(self, *, Parameters: list[Json], UsePreviousTemplate: bool, **_: Any) -> None:  # noqa: N803
        assert UsePreviousTemplate
        new = {
            p["ParameterKey"]: self.parameters[p["ParameterKey"]] if p.get("UsePreviousValue") else p["ParameterValue"] for p in Parameters
        }
        assert new.keys() == self.parameters.keys()
        if new == self.parameters:
            raise refusal("ValidationError", "No updates are to be performed.")
        self.parameters = new
        config = f"config-{len(self.configs) + 1}"
        self.configs[config] = new["ModelPackageArn"]
        if not self.goes_back:
            self.serves = config

    # SageMaker

    def describe_endpoint(self, **_: Any) -> Json:
        if self.gone:
            raise refusal("ValidationException", f'Could not find endpoint "{ENDPOINT}".')
        failure = {"FailureReason": self.failure} if self.failure else {}
        return {"EndpointConfigName": self.serves, "EndpointStatus": self.endpoint_status, "CreationTime": self.endpoint_made, **failure}

    def create_endpoint(self, *, EndpointName: str, EndpointConfigName: str) -> None:  # noqa: N803
        assert (EndpointName, self.gone) == (ENDPOINT, True)
        self.gone, self.serves = False, EndpointConfigName
        self.moved_by_hand.append(EndpointConfigName)

    def update_endpoint(self, *, EndpointName: str, EndpointConfigName: str) -> None:  # noqa: N803
        assert (EndpointName, self.gone) == (ENDPOINT, False)
        self.serves = EndpointConfigName
        self.moved_by_hand.append(EndpointConfigName)

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> Json:  # noqa: N803
        if EndpointConfigName not in {**self.configs, **self.foreign}:
            raise refusal("ValidationException", f'Could not find endpoint configuration "{EndpointConfigName}".')
        variant = {"ModelName": EndpointConfigName, "InitialInstanceCount": 2}
        return {"CreationTime": BEGAN, "ProductionVariants": [variant]}

    def describe_model(self, *, ModelName: str) -> Json:  # noqa: N803
        return {"PrimaryContainer": {"ModelPackageName": {**self.configs, **self.foreign}[ModelName]}}

    # CloudWatch

    def describe_alarms(self, *, AlarmNames: list[str], **_: Any) -> Json:  # noqa: N803
        return {"MetricAlarms": [self._alarm(name) for name in AlarmNames if name in self.outputs.alarms]}

    def get_paginator(self, name: str) -> Any:
        if name == "describe_stack_events":
            return Paginator(lambda _: {"StackEvents": self.events})
        assert name == "describe_alarm_history"
        return self

    def paginate(self, *, AlarmName: str, **_: Any) -> Iterable[Json]:  # noqa: N803
        state = {"stateValue": "ALARM", "stateReason": self.loud.get(AlarmName, "")}
        calm = {"AlarmName": AlarmName, "Timestamp": BEGAN, "HistoryData": json.dumps({"newState": {"stateValue": "OK"}})}
        rang = {"AlarmName": AlarmName, "Timestamp": BEGAN + timedelta(minutes=4), "HistoryData": json.dumps({"newState": state})}
        long_ago = {**rang, "Timestamp": BEGAN - timedelta(days=1)}
        return [{"AlarmHistoryItems": [long_ago, calm]}, {"AlarmHistoryItems": [rang] if AlarmName in self.loud else []}]

    def get_metric_data(self, *, MetricDataQueries: list[Json], **_: Any) -> Json:  # noqa: N803
        times = [BEGAN + timedelta(minutes=minute) for minute in range(3)]
        (query,) = [query for query in MetricDataQueries if query.get("ReturnData", True)]
        return {"MetricDataResults": [{"Id": query["Id"], "Label": "x", "Timestamps": times, "Values": [0.0, 0.02, 0.5]}]}

    def get_metric_statistics(self, **_: Any) -> Json:
        rows = self.scored.pop(0) if len(self.scored) > 1 else self.scored[0]
        return {"Datapoints": [{"Sum": rows}]}

    def _alarm(self, name: str) -> Json:
        alarmed = name in self.loud
        shown: Json = {
            "AlarmName": name,
            "StateValue": "ALARM" if alarmed else "OK",
            "StateReason": self.loud.get(name, "all well"),
            "StateUpdatedTimestamp": BEGAN + timedelta(minutes=30),
            "Threshold": 0.01,
        }
        if name.endswith("ScoreShift"):
            stat = {"Metric": {"Namespace": "n", "MetricName": "ScoreP10"}, "Stat": "Average", "Period": 60}
            return shown | {
                "Metrics": [{"Id": "p", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "p", "ReturnData": True}]
            }
        metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", "Dimensions": []}
        return shown | {**metric, "Statistic": "Average", "Period": 60}
