"""What AWS shows late, in one place; `--reads-late` has a cloud do so.

KINDS are what AWS's documentation calls eventually consistent: who reads them sees what was there before. LISTS are calls of which it says
nothing, and which are taken to lag: what has just come to be is not in them yet. What a call describes by its name is seen at once, and so
are objects in S3, unlike the policies of buckets ("Amazon S3 data consistency model").

CloudFormation looks whether what it made is seen before it calls a new stack complete ("Understand CloudFormation stack creation events"),
and its handlers try again what a late read refuses.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from moto.core.responses import BaseResponse

from localcloud.core.cloud import cloud
from localcloud.core.late_reads import changing
from localcloud.events.seen import RULES
from localcloud.iam.roles import ROLES
from localcloud.kms.grants import GRANTS
from localcloud.kms.keys import ALIASES, POLICIES
from localcloud.s3 import bucket_policies
from localcloud.sagemaker.endpoints_api import CONFIGS

KINDS = (ROLES, POLICIES, ALIASES, GRANTS, RULES, CONFIGS, bucket_policies.POLICIES)


class List(NamedTuple):
    """Where a list's answer has its items, and when each of them came to be (seconds since 1970)."""

    items: str
    since: str


LISTS = {
    ("codepipeline", "ListActionExecutions"): List("actionExecutionDetails", "startTime"),
    ("codepipeline", "ListPipelineExecutions"): List("pipelineExecutionSummaries", "startTime"),
    ("sagemaker", "ListEndpoints"): List("Endpoints", "CreationTime"),
    ("sagemaker", "ListEndpointConfigs"): List("EndpointConfigs", "CreationTime"),
    ("sagemaker", "ListInferenceComponents"): List("InferenceComponents", "CreationTime"),
    ("sagemaker", "ListModelPackages"): List("ModelPackageSummaryList", "CreationTime"),
    ("sagemaker", "ListModels"): List("Models", "CreationTime"),
    ("sagemaker", "ListPipelineExecutions"): List("PipelineExecutionSummaries", "StartTime"),
    ("sagemaker", "ListProcessingJobs"): List("ProcessingJobSummaries", "CreationTime"),
    ("sagemaker", "ListTrainingJobs"): List("TrainingJobSummaries", "CreationTime"),
    ("sagemaker", "ListTransformJobs"): List("TransformJobSummaries", "CreationTime"),
}


def install() -> None:
    """Stand in front of every service."""
    answer = BaseResponse.call_action
    BaseResponse.call_action = lambda self: call_action(self, answer)  # type: ignore[method-assign]


def call_action(response: Any, answer: Callable[[Any], Any]) -> Any:
    """What `answer` makes of the request that moto's `response` object received, as it is seen."""
    if not cloud().reads_late:
        return answer(response)
    service = response.boto3_service_name
    with changing([kind for kind in KINDS if kind.service == service], response.current_account, response.region):
        answered = answer(response)
    listed = LISTS.get((service, response._get_action()))
    return _as_seen(answered, listed) if listed else answered


def _as_seen(answer: Any, listed: List) -> Any:
    """A list's answer without what is not seen yet."""
    status, headers, body = answer
    content, seen = json.loads(body), time.time() - cloud().reads_late / cloud().speed
    if listed.items in content:
        content[listed.items] = [item for item in content[listed.items] if item[listed.since] <= seen]
    return status, headers, json.dumps(content)
