"""One endpoint, its stack and its alarms in memory: CloudFormation, SageMaker and CloudWatch as far as a rollback needs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.pipelines.evidence.world import Altered, Killed
from tests.pipelines.steps.fakes import refusal

STACK, ENDPOINT = "Serving", "lead-production"
BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)
Json = dict[str, Any]


@dataclass
class Production:
    """`configs` maps configuration → model package; the newest one is the stack's, `serves` is what really answers.

    `goes_back`: SageMaker takes every deployment back. `rings` maps alarm → reason; `scored` is what ScoredRows sums up to.
    """

    parameters: dict[str, str]
    configs: dict[str, str]
    serves: str = ""
    goes_back: bool = False
    status: str = "UPDATE_COMPLETE"
    rings: dict[str, str] = field(default_factory=dict)
    scored: list[int] = field(default_factory=lambda: [0])
    endpoint_made: datetime = BEGAN - timedelta(days=9)

    @classmethod
    def serving(cls, package: str, **parameters: str) -> Production:
        """A production in which one package serves."""
        known = {"ModelPackageArn": package, "ModelVersion": "0" * 12, "PreviousModelVersion": "none", "Urgent": "no", **parameters}
        return cls(parameters=known, configs={"config-1": package}, serves="config-1")

    @property
    def outputs(self) -> dict[str, str]:
        config = list(self.configs)[-1]
        return {
            "EndpointName": ENDPOINT,
            "EndpointConfigName": config,
            "ModelPackage": self.parameters["ModelPackageArn"],
            "ModelVersion": self.parameters["ModelVersion"],
            "PreviousModelVersion": self.parameters["PreviousModelVersion"],
            "RollbackAlarms": f"{config}-ServerErrors,{config}-ScoreShift",
        }

    @property
    def answers(self) -> str:
        """The package that answers requests."""
        return self.configs[self.serves]

    def client(self, service: str) -> Production:
        """Every client is this very object."""
        assert service in ("cloudformation", "sagemaker", "cloudwatch")
        return self

    # CloudFormation

    def describe_stacks(self, **_: Any) -> Json:
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        return {"Stacks": [{"StackStatus": self.status, "Outputs": outputs, "Parameters": parameters}]}

    def update_stack(self, *, Parameters: list[Json], UsePreviousTemplate: bool, **_: Any) -> None:  # noqa: N803  # boto3's names
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

    def get_waiter(self, _: str) -> Production:
        return self

    def wait(self, **_: Any) -> None:
        """It is in service already."""

    def describe_endpoint(self, **_: Any) -> Json:
        return {"EndpointConfigName": self.serves, "EndpointStatus": "InService", "CreationTime": self.endpoint_made}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> Json:  # noqa: N803
        variant = {"ModelName": EndpointConfigName, "InitialInstanceCount": 2}
        return {"CreationTime": BEGAN, "ProductionVariants": [variant]}

    def describe_model(self, *, ModelName: str) -> Json:  # noqa: N803
        return {"PrimaryContainer": {"ModelPackageName": self.configs[ModelName]}}

    # CloudWatch

    def describe_alarms(self, *, AlarmNames: list[str], **_: Any) -> Json:  # noqa: N803
        return {"MetricAlarms": [self._alarm(name) for name in AlarmNames if name in self.outputs["RollbackAlarms"]]}

    def get_paginator(self, name: str) -> Production:
        assert name == "describe_alarm_history"
        return self

    def paginate(self, *, AlarmName: str, **_: Any) -> Iterable[Json]:  # noqa: N803
        state = {"stateValue": "ALARM", "stateReason": self.rings.get(AlarmName, "")}
        calm = {"AlarmName": AlarmName, "Timestamp": BEGAN, "HistoryData": json.dumps({"newState": {"stateValue": "OK"}})}
        rang = {"AlarmName": AlarmName, "Timestamp": BEGAN + timedelta(minutes=4), "HistoryData": json.dumps({"newState": state})}
        long_ago = {**rang, "Timestamp": BEGAN - timedelta(days=1)}
        return [{"AlarmHistoryItems": [long_ago, calm]}, {"AlarmHistoryItems": [rang] if AlarmName in self.rings else []}]

    def get_metric_data(self, *, MetricDataQueries: list[Json], **_: Any) -> Json:  # noqa: N803
        times = [BEGAN + timedelta(minutes=minute) for minute in range(3)]
        (query,) = [query for query in MetricDataQueries if query.get("ReturnData", True)]
        return {"MetricDataResults": [{"Id": query["Id"], "Label": "x", "Timestamps": times, "Values": [0.0, 0.02, 0.5]}]}

    def get_metric_statistics(self, **_: Any) -> Json:
        rows = self.scored.pop(0) if len(self.scored) > 1 else self.scored[0]
        return {"Datapoints": [{"Sum": rows}]}

    def _alarm(self, name: str) -> Json:
        ringing = name in self.rings
        shown: Json = {
            "AlarmName": name,
            "StateValue": "ALARM" if ringing else "OK",
            "StateReason": self.rings.get(name, "all well"),
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


def mortal(client: Any, writes: Iterable[object], *names: str) -> Altered:
    """A client whose caller is killed right after one of its `names` was called, once `writes` are used up; they may be shared."""

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(**arguments: Any) -> Any:
            answer = call(**arguments)
            if next(left, None) is None:
                raise Killed
            return answer

        return made

    left = iter(writes)
    return Altered(client, **{name: deadly(getattr(client, name)) for name in names})
