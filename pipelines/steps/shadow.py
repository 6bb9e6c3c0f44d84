"""Gives a version copies of production's requests before anybody gets its answers, and compares it with the version that serves.

Where the policy is `shadow` this comes before the deployment, which is a canary then. Errors, latency and scores have the limits that
`model.toml` has for alarms. What differs ends the shadow and fails the step; the version that serves is never touched. Too few requests
prove nothing: the step fails as well, but the shadow stays, for the stage to be retried.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from model_code import spec
from model_code.spec import Serving
from pipelines.evidence.document import Verdict
from pipelines.steps import cdk, deploy, environment, live_check, package, readback
from pipelines.steps import stack as stacks
from pipelines.steps.package import Package
from pipelines.steps.readback import Served
from pipelines.steps.step import StepError, add_minute_seconds, add_poll_seconds, parser, polls, print_report, progress, run
from pipelines.steps.verify import conclude

GATE, PARAMETER = "shadow", "ShadowModelPackageArn"
DAY = 86400
ADVICE = "nobody got these answers: correct the model and push"
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A shadow beside what serves. `variant` is its name; `new` and `old` are how the containers of the two versions name themselves.

    `expected` is how far each percentile of their scores lay apart in evaluation, new minus old.
    """

    live: Served
    variant: str
    new: str
    old: str
    expected: Mapping[int, float]

    def scored(self, cloudwatch: Any) -> int:
        """How many rows both versions have scored, give or take a minute's."""
        return min(live_check.scored(cloudwatch, self.live.endpoint, version, since=self.live.began) for version in (self.new, self.old))

    def apart(self, cloudwatch: Any, percent: int) -> float:
        """How much further than expected a percentile of the scores lies from the live version's."""
        new, old = (self._percentile(cloudwatch, percent, version) for version in (self.new, self.old))
        return abs(new - old - self.expected[percent])

    def answered(self, cloudwatch: Any, metric: str) -> tuple[int, float]:
        """How many requests the shadow had, and a metric's share of them."""
        points = self._of_shadow(cloudwatch, metric, Statistics=["Sum", "SampleCount"])
        requests = round(sum(point["SampleCount"] for point in points))
        return requests, sum(point["Sum"] for point in points) / requests if requests else 0.0

    def latency(self, cloudwatch: Any) -> float:
        """What the model takes for all but one in a hundred of the shadow's requests, in milliseconds."""
        points = self._of_shadow(cloudwatch, "ModelLatency", ExtendedStatistics=["p99"])
        return max((float(point["ExtendedStatistics"]["p99"]) for point in points), default=0.0) / 1000

    def _percentile(self, cloudwatch: Any, percent: int, version: str) -> float:
        points = live_check.points(
            cloudwatch, self.live.endpoint, f"ScoreP{percent}", version, since=self.live.began, statistics=["Sum", "SampleCount"]
        )
        return float(sum(point["Sum"] for point in points) / sum(point["SampleCount"] for point in points))

    def _of_shadow(self, cloudwatch: Any, metric: str, **statistics: list[str]) -> list[Json]:
        """The configuration is new with the shadow, so these are all of its requests."""
        names = {"EndpointName": self.live.endpoint, "VariantName": self.variant, "EndpointConfigName": self.live.endpoint_config}
        found: list[Json] = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in names.items()],
            StartTime=self.live.began - timedelta(minutes=1),
            EndTime=datetime.now(UTC),
            Period=DAY,
            **statistics,
        )["Datapoints"]
        return found


def compared(cloudwatch: Any, trial: Trial, serving: Serving, *, poll_seconds: float, minute_seconds: float) -> list[Verdict]:
    """Wait until enough was asked, for as long as a deployment may take, and judge. A shadow that only fails never scores a row, so its
    errors are judged as soon as it had as many requests.
    """
    needed, before = max(serving.deployment.minimum_requests, serving.alarms.score_rows), -1
    for _ in polls(poll_seconds, minutes=serving.deployment_minutes * minute_seconds / 60, waiting_for=None):
        rows, (requests, _) = trial.scored(cloudwatch), trial.answered(cloudwatch, "Invocation5XXErrors")
        answers = list(_answers(cloudwatch, trial, serving)) if requests >= needed or rows >= needed else []
        if any(verdict.passed is False for verdict in answers):
            return answers
        if rows >= needed:
            return [_enough(rows, needed), *answers, *_scores(cloudwatch, trial, serving)]
        if rows != before:
            progress(f"{rows} rows scored by both versions, {needed} are needed")
        before = rows
    return [_enough(rows, needed)]


def _answers(cloudwatch: Any, trial: Trial, serving: Serving) -> Iterator[Verdict]:
    limits = serving.alarms
    for subject, metric, limit in (
        ("share of requests that fail (5xx)", "Invocation5XXErrors", limits.server_error_rate),
        ("share of requests that are refused (4xx)", "Invocation4XXErrors", limits.client_error_rate),
    ):
        yield _at_most(subject, trial.answered(cloudwatch, metric)[1], limit)
    yield _at_most("p99 of the model's latency in ms", trial.latency(cloudwatch), limits.model_latency_p99_ms)


def _scores(cloudwatch: Any, trial: Trial, serving: Serving) -> Iterator[Verdict]:
    for percent in trial.expected:
        subject = f"{percent}th percentile of scores, from the live version's, beyond what evaluation found"
        yield _at_most(subject, trial.apart(cloudwatch, percent), serving.alarms.score_shift)


def _at_most(subject: str, found: float, limit: float) -> Verdict:
    found = round(found, 6)
    advice = "" if found <= limit else ADVICE
    return Verdict(gate=GATE, subject=subject, passed=found <= limit, found=found, comparison="<=", threshold=limit, advice=advice)


def _enough(rows: int, needed: int) -> Verdict:
    advice = "too few to judge, which proves nothing: the shadow stays: have the endpoint asked and retry the stage"
    return Verdict(
        gate=GATE,
        subject="rows scored by both versions",
        passed=rows >= needed,
        found=rows,
        comparison=">=",
        threshold=needed,
        advice="" if rows >= needed else advice,
    )


def variant_of(sagemaker: Any, live: Served, version: Package) -> str:
    """The name of the shadow. Raises StepError when what is in the shadow is not made of the version."""
    found = sagemaker.describe_endpoint_config(EndpointConfigName=live.endpoint_config).get("ShadowProductionVariants", [])
    if not found:
        raise StepError(f"endpoint {live.endpoint} has no shadow: the deployment did not make one: retry the stage")
    (shadow,) = found
    container = sagemaker.describe_model(ModelName=shadow["ModelName"])["PrimaryContainer"]
    if not readback.made_of(container, version):
        raise StepError(f"endpoint {live.endpoint} shadows {container.get('ModelPackageName')}, not {version.arn}: retry the stage")
    return str(shadow["VariantName"])


def limits_of(model: str, environment: str) -> Serving:
    """What a model's `model.toml` accepts there. Raises StepError when it cannot be read."""
    try:
        return spec.load(model).serving[environment]
    except spec.SpecError as error:
        raise StepError(str(error)) from error


def main() -> None:
    """Print what was compared, as JSON."""
    given = _given()
    (name,) = given.stacks
    s3, registry = boto3.client("s3"), boto3.client("sagemaker")
    version = package.read(registry, given.model_package_arn)
    cloudformation = environment.deployer(given).client("cloudformation")
    stack = stacks.settled(cloudformation, name, poll_seconds=given.poll_seconds)
    if stack is None:
        progress(f"{name} is not deployed yet: there are no requests to copy")
        print_report({"shadow": None})
        return
    there = environment.verifier(given)
    sagemaker = there.client("sagemaker")
    serves = readback.container(sagemaker, sagemaker.describe_endpoint(EndpointName=stack.outputs["EndpointName"])["EndpointConfigName"])
    if readback.made_of(serves, version):
        progress(f"{version.arn} serves already: it was compared before")
        print_report({"shadow": None})
        return
    serving = package.read(registry, serves["ModelPackageName"])
    old, new = (package.model_version(s3, one.data) for one in (serving, version))
    told = {"ModelVersion": old, "PreviousModelVersion": deploy.NONE, "Urgent": "no", PARAMETER: version.arn}
    progress(f"{version.arn} gets a copy of every request that {serving.arn} answers")
    cdk.deploy(given.assembly, [name], deploy.parameters(given.assembly, name, serving, **told))
    stack = stacks.settled(cloudformation, name, poll_seconds=given.poll_seconds)
    assert stack is not None, "it was deployed just now"
    live = readback.served(sagemaker, stack.outputs, serving, poll_seconds=given.poll_seconds)
    expected = {int(key.rpartition("P")[2]): float(value) for key, value in package.expected_shift(s3, version, serving.arn).items()}
    trial = Trial(live=live, variant=variant_of(sagemaker, live, version), new=new, old=old, expected=expected)
    pace = {"poll_seconds": given.poll_seconds, "minute_seconds": given.minute_seconds}
    verdicts = compared(there.client("cloudwatch"), trial, limits_of(given.model, given.environment), **pace)
    if any(verdict.passed is False and verdict.comparison == "<=" for verdict in verdicts):
        progress(f"{version.arn} is not like {serving.arn}: its shadow ends")
        stacks.update(cloudformation, stack, {PARAMETER: ""}, poll_seconds=given.poll_seconds)
    conclude({"shadow": version.arn, **live.as_json()}, verdicts, None)


def _given() -> Namespace:
    arguments = parser(__doc__)
    cdk.add_arguments(arguments)
    environment.add_arguments(arguments)
    arguments.add_argument("--model-package-arn", required=True)
    arguments.add_argument("--model", required=True, help="whose model.toml has the limits")
    arguments.add_argument("--environment", required=True)
    add_poll_seconds(arguments)
    add_minute_seconds(arguments)
    return arguments.parse_args()


if __name__ == "__main__":
    run(main, "shadow")
