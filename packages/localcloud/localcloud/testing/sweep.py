"""What has a run's prefix in its name and is still on an account: what stacks retained, what services made by themselves.

The journal knows what tests asked for; this looks at what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from localcloud.testing.journal import Entry

Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of thing: the call that lists all of them, the member that has a name, and the operation that makes one by `parameter`."""

    service: str
    lists: str
    member: str
    makes: str
    parameter: str = ""
    arguments: Json = field(default_factory=dict)
    by_response: bool = False

    def entry(self, account: str, name: str) -> Entry:
        """As if the run had made it itself."""
        called = {self.parameter or self.member: name}
        asked, answered = ({}, called) if self.by_response else (called, {})
        return Entry(account, self.service, self.makes, asked, answered)


KINDS = (  # what holds on to others first
    Kind("cloudformation", "describe_stacks", "StackName", "CreateStack"),
    Kind("codepipeline", "list_pipelines", "name", "CreatePipeline"),
    Kind("sagemaker", "list_inference_components", "InferenceComponentName", "CreateInferenceComponent"),
    Kind("sagemaker", "list_endpoints", "EndpointName", "CreateEndpoint"),
    Kind("sagemaker", "list_endpoint_configs", "EndpointConfigName", "CreateEndpointConfig"),
    Kind("sagemaker", "list_models", "ModelName", "CreateModel"),
    Kind("sagemaker", "list_model_package_groups", "ModelPackageGroupName", "CreateModelPackageGroup"),
    Kind("sagemaker", "list_model_cards", "ModelCardName", "CreateModelCard"),
    Kind("sagemaker", "list_pipelines", "PipelineName", "CreatePipeline"),
    Kind("scheduler", "list_schedules", "Name", "CreateSchedule"),
    Kind("cloudwatch", "describe_alarms", "AlarmName", "PutMetricAlarm", arguments={"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}),
    Kind("events", "list_rules", "Name", "PutRule"),
    Kind("events", "list_event_buses", "Name", "CreateEventBus"),
    Kind("sqs", "list_queues", "QueueUrls", "CreateQueue", "QueueUrl", by_response=True),
    Kind("sns", "list_topics", "TopicArn", "CreateTopic", by_response=True),
    Kind("codebuild", "list_projects", "projects", "CreateProject", "name"),
    Kind("ecr", "describe_repositories", "repositoryName", "CreateRepository"),
    Kind("s3", "list_buckets", "Name", "CreateBucket", "Bucket"),
    Kind("ssm", "describe_parameters", "Name", "PutParameter"),
    Kind("secretsmanager", "list_secrets", "ARN", "CreateSecret", by_response=True),
    Kind("kms", "list_aliases", "AliasName", "CreateAlias"),
    Kind("iam", "list_roles", "RoleName", "CreateRole"),
    Kind("logs", "describe_log_groups", "logGroupName", "CreateLogGroup"),
)


def look(session: Any, account: str, prefix: str) -> Iterator[Entry]:
    """Everything on the account that has the prefix in its name."""
    for kind in KINDS:
        client = session.client(kind.service)
        for page in _pages(client, kind):
            yield from (kind.entry(account, name) for name in _names(page, kind.member) if prefix in name.lower())


def _pages(client: Any, kind: Kind) -> Iterator[Json]:
    if client.can_paginate(kind.lists):
        yield from client.get_paginator(kind.lists).paginate(**kind.arguments)
    else:
        yield getattr(client, kind.lists)(**kind.arguments)


def _names(content: Any, member: str) -> Iterator[str]:
    """The texts that are members of that name, or lists of such."""
    for each in content if isinstance(content, list) else [content]:
        for key, value in each.items() if isinstance(each, dict) else ():
            if key == member:
                yield from [value] if isinstance(value, str) else [text for text in value if isinstance(text, str)]
            if isinstance(value, dict | list):
                yield from _names(value, member)
