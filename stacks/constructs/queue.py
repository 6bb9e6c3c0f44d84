"""What requests that wait need beside their endpoint: where they and their answers lie, whom SageMaker tells, and alarms.

SageMaker keeps the queue itself ("Asynchronous inference" of its guide): a request in it names an object in S3, and so does its answer.
"""

from __future__ import annotations

from typing import Any, Literal

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.constructs.key import Key
from stacks.constructs.notices import Notices
from stacks.constructs.store import Store

MINUTE = Duration.minutes(1)
NAMESPACE = "AWS/SageMaker"
# Requests without an answer for which neither the model nor their caller is to blame.
LOST = ("ExpiredRequests", "ResponseUploadFailures", "NotificationFailures")


class Queue(Construct):
    """The objects of one endpoint's queue, encrypted with `key`. Requests are read from the folder `requests`; answers are written to
    `answers`, and what SageMaker says of requests that failed to `failures`. All of them go after `days`.

    `notices`: of which requests `topic` is told. Who wants to know subscribes to it; there is none where nobody is told.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        key: Key,
        requests: str,
        answers: str,
        failures: str,
        days: int,
        notices: Literal["none", "failures", "all"],
        concurrency: int,
        logs: str | None,
    ) -> None:
        super().__init__(scope, name)
        self._key, self._concurrency, self._notices = key, concurrency, notices
        self._requests, self._answers, self._failures = requests, answers, failures
        self.store = Store(self, "Store", key=key, expire_days=days, folders=[requests, answers, failures], logs=logs)
        self.topic = None if notices == "none" else Notices(self, "Answers", key=key, addresses=[])

    def config(self) -> dict[str, Any]:
        """The endpoint configuration's AsyncInferenceConfig."""
        topics = {"errorTopic": self.topic.topic_arn} if self.topic else {}
        topics |= {"successTopic": self.topic.topic_arn} if self.topic and self._notices == "all" else {}
        return {
            "clientConfig": {"maxConcurrentInvocationsPerInstance": self._concurrency},
            "outputConfig": {
                "kmsKeyId": self._key.key_arn,
                "s3OutputPath": self.store.s3_url_for_object(self._answers),
                "s3FailurePath": self.store.s3_url_for_object(self._failures),
                **({"notificationConfig": topics} if topics else {}),
            },
        }

    def of_endpoint(self) -> list[iam.PolicyStatement]:
        """What the endpoint's role must be allowed beside the use of the key ("Complete the prerequisites", SageMaker's guide)."""
        store, written = self.store, [self.store.arn_for_objects(f"{folder}/*") for folder in (self._answers, self._failures)]
        told = [iam.PolicyStatement(actions=["sns:Publish"], resources=[self.topic.topic_arn])] if self.topic else []
        return [
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[store.arn_for_objects(f"{self._requests}/*")]),
            iam.PolicyStatement(actions=["s3:AbortMultipartUpload", "s3:PutObject"], resources=written),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[store.bucket_arn]),
            *told,
        ]

    def of_caller(self) -> list[iam.PolicyStatement]:
        """What who asks must be allowed beside `sagemaker:InvokeEndpointAsync`. Without `s3:ListBucket` an answer that is not there yet is
        an AccessDenied (GetObject, "Permissions").
        """
        store, read = self.store, [self.store.arn_for_objects(f"{folder}/*") for folder in (self._answers, self._failures)]
        return [
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[store.arn_for_objects(f"{self._requests}/*")]),
            iam.PolicyStatement(actions=["s3:GetObject"], resources=read),
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[store.bucket_arn]),
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self._key.key_arn]),
        ]


class QueueAlarms(Construct):
    """Alarms on the queue of one endpoint, told to `topic`: a request that waits for more than `minutes`, and requests that got lost.

    They blame the fleet or the queue, not a version: what waits has waited since before a deployment, so they take none back.
    """

    def __init__(self, scope: Construct, name: str, *, endpoint_name: str, variant: str, topic: sns.ITopic, minutes: int) -> None:
        super().__init__(scope, name)
        self._endpoint_name, self._action = endpoint_name, actions.SnsAction(topic)
        oldest = self._metric("ApproximateAgeOfOldestRequest", "Maximum", {"EndpointName": endpoint_name})
        of_variant = {"EndpointName": endpoint_name, "VariantName": variant}
        lost = cloudwatch.MathExpression(
            expression=" + ".join(f"FILL(m{number}, 0)" for number in range(len(LOST))),
            using_metrics={f"m{number}": self._metric(name, "Sum", of_variant) for number, name in enumerate(LOST)},
            label="lost requests",
            period=MINUTE,
        )
        self._alarm("OldestRequest", oldest, 60 * minutes, f"a request has waited for more than {minutes} minutes")
        self._alarm("LostRequests", lost, 0, "requests expired, or their answers or notices could not be delivered")

    @staticmethod
    def _metric(name: str, statistic: str, dimensions: dict[str, str]) -> cloudwatch.Metric:
        return cloudwatch.Metric(namespace=NAMESPACE, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=MINUTE)

    def _alarm(self, name: str, metric: cloudwatch.IMetric, threshold: float, meaning: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._endpoint_name}-{name}",
            alarm_description=f"{self._endpoint_name}: {meaning}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
