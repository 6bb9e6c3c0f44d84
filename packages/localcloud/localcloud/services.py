"""Every service, in the order in which it takes the place of moto's; and how everything that runs is ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from localcloud import late_reads
from localcloud.applicationautoscaling import capacity, scheduled_actions, target_tracking
from localcloud.cloudformation import change_sets, limits, resources, stack_deletions, stack_resources, stacks, updates
from localcloud.cloudwatch import alarms, alarms_api, metrics_api
from localcloud.codebuild import api as codebuild
from localcloud.codebuild import builds
from localcloud.codepipeline import actions
from localcloud.codepipeline import api as codepipeline
from localcloud.codepipeline import pipelines as delivery_pipelines
from localcloud.core import clock, requests
from localcloud.ecr import scans
from localcloud.events import bus, rules, s3, targets
from localcloud.featurestore import api as feature_store
from localcloud.featurestore import groups as feature_groups
from localcloud.iam import authorization, boundaries, documents, managed_policies, roles, service_policies, sessions
from localcloud.kms import key_policies, keys, signing
from localcloud.logs import metric_filters
from localcloud.s3 import bucket_policies, names, object_lock, writes
from localcloud.sagemaker import (
    async_invocations,
    components,
    components_api,
    endpoints,
    endpoints_api,
    invocations,
    jobs,
    model_cards,
    model_packages,
    models,
    pipelines,
    processing,
    refusals,
    training,
    transform,
    tuning,
)
from localcloud.scheduler import api as scheduler
from localcloud.servicequotas import api as service_quotas
from localcloud.sqs import metrics as queue_metrics


class Part(Protocol):
    """A module that takes the place of something of moto's."""

    def install(self) -> None:
        """Take it."""


REQUESTS: tuple[Part, ...] = (requests, late_reads)
IAM: tuple[Part, ...] = (authorization, managed_policies, documents, service_policies, boundaries, roles, sessions)
CLOUDFORMATION: tuple[Part, ...] = (updates, stacks, stack_deletions, stack_resources, change_sets, limits, resources)
KMS: tuple[Part, ...] = (keys, signing, key_policies)
S3: tuple[Part, ...] = (names, bucket_policies, object_lock, writes)
CODE: tuple[Part, ...] = (codebuild, actions, codepipeline)
ECR: tuple[Part, ...] = (scans,)
SAGEMAKER: tuple[Part, ...] = (
    training,
    tuning,
    processing,
    transform,
    pipelines,
    model_packages,
    model_cards,
    models,
    endpoints_api,
    components_api,
    invocations,
    feature_groups,
    feature_store,
    async_invocations,
    service_quotas,
    refusals,  # what is left
)
EVENTS: tuple[Part, ...] = (bus, rules, s3, scheduler)
SQS: tuple[Part, ...] = (queue_metrics,)
CLOUDWATCH: tuple[Part, ...] = (metrics_api, metric_filters, alarms, alarms_api)
AUTOSCALING: tuple[Part, ...] = (capacity, target_tracking, scheduled_actions)
EVERYTHING = (*REQUESTS, *IAM, *CLOUDFORMATION, *KMS, *S3, *CODE, *ECR, *SAGEMAKER, *EVENTS, *SQS, *CLOUDWATCH, *AUTOSCALING)


def install(parts: Iterable[Part] = EVERYTHING) -> None:
    """Put these in the place of what moto only records."""
    for part in parts:
        part.install()


def shutdown() -> None:
    """Do nothing more that is due, and end every delivery, execution, build, job, component and endpoint."""
    clock.clear()
    for running in (targets, delivery_pipelines, builds, pipelines, tuning, jobs, components, endpoints, feature_groups):
        running.shutdown()
