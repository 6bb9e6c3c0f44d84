"""Names are what AWS takes, and no two things have the same one."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

import naming
from config import Config
from paved_runtime.spec import ModelSpec
from stacks.layout import LONGEST, check
from tests import reference
from tests.reference import CONFIG
from tests.support.layouts import PRODUCTION, STAGING

MODELS = ("churn", "lead_scoring")
ROLE, ENTITY, STAGE = "iam.roleNameType", "sagemaker.EntityName", "codepipeline.StageName"
STACK, PARAMETER, QUEUE = (
    r"[A-Za-z][A-Za-z0-9-]{0,127}",
    r"(/[\w.-]+){1,15}/?",
    r"[\w-]{1,80}",
)  # by the user guides: no description has them
METADATA = r"[A-Za-z0-9 _.:/=+@-]{1,256}"  # the description of sagemaker.CustomerMetadataValue is in Java's words
KINDS = {  # function → the service's own description of such a name (`service.Shape`, or a CloudFormation property), or a pattern
    "alarm": "cloudwatch.AlarmName",
    "approval": STAGE,
    "artifacts_bucket": "AWS::S3::Bucket.BucketName",
    "batch_gate_role": ROLE,
    "batch_dead_letters": r"[\w-]{1,80}",
    "batch_pipeline": "scheduler.Name",
    "batch_role": ROLE,
    "batch_stack": STACK,
    "bootstrap_role": ROLE,
    "budget": r"[^:\\]{1,100}",  # budgets.BudgetName's description is in Java's words
    "budget_stack": STACK,
    "connection": "codeconnections.ConnectionName",
    "console": r"https://[a-z0-9.-]+",
    "controller_role": ROLE,
    "data_bucket": "AWS::S3::Bucket.BucketName",
    "dead_letters": r"[\w-]{1,80}",
    "delivery_pipeline": "codepipeline.PipelineName",
    "delivery_stack": STACK,
    "deploy_role": ROLE,
    "endpoint": "sagemaker.EndpointName",
    "environment_parameter": PARAMETER,
    "event_bus": "events.EventBusName",
    "evidence_key": "AWS::KMS::Alias.AliasName",
    "execution_role": ROLE,
    "feature_group": "sagemaker.FeatureGroupName",
    "features_bucket": "AWS::S3::Bucket.BucketName",
    "features_parameter": PARAMETER,
    "features_role": ROLE,
    "features_stack": STACK,
    "image_repository": "ecr.RepositoryName",
    "ingestion_manifest": r"s3://[a-z0-9.-]{3,63}/ingestions/[\w/-]+\.json",
    "metadata_value": METADATA,
    "metric_namespace": "cloudwatch.Namespace",
    "model_card": ENTITY,
    "model_package_group": ENTITY,
    "monitoring_pipeline": "scheduler.Name",  # and that of a SageMaker pipeline, which may be longer
    "monitoring_role": ROLE,
    "monitoring_stack": STACK,
    "offline_store": "sagemaker.S3Uri",
    "onboarding_pipeline": "codepipeline.PipelineName",
    "pull_request_project": ROLE,
    "network_parameter": PARAMETER,
    "network_stack": STACK,
    "parameter": PARAMETER,
    "registry_stack": STACK,
    "release_key": "AWS::KMS::Alias.AliasName",
    "retraining_pipeline": "codepipeline.PipelineName",
    "retraining_schedule": "events.RuleName",
    "serving_stack": STACK,
    "shared_endpoint": "sagemaker.EndpointName",
    "shared_role": ROLE,
    "shared_stack": STACK,
    "slug": r"[a-z0-9-]+",
    "stage": STAGE,
    "stage_project": "codebuild.ProjectName",
    "title": r"[A-Za-z][A-Za-z0-9]*",
    "toolchain_parameter": PARAMETER,
    "toolchain_stack": STACK,
    "training_pipeline": "sagemaker.PipelineName",
    "training_role": ROLE,
    "verifier_role": ROLE,
}
FUNCTIONS: dict[str, Callable[..., str]] = {
    name: function for name, function in inspect.getmembers(naming, inspect.isfunction) if not name.startswith("_")
}


def arguments(config: Config, models: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    """Parameter's name → every value that it may have."""
    return {
        "account": config.accounts,
        "config": (config,),
        "environment": config.environments,
        "fact": ("capture-bucket", "image-repository"),
        "group": ("customer_activity", "visits"),
        "ingestion": ("20261129T000000Z-abcdef01",),
        "kind": (naming.DRIFT, naming.MONITOR_SILENT, naming.CAPTURE_UNREAD, naming.GONE, naming.SERVER_ERRORS, naming.MODEL_LATENCY),
        "model": models,
        "name": ("a", "small-2"),
        "region": (config.toolchain.region,),
        "stage_name": (naming.BUILD, naming.UPDATE, naming.TRAIN),
        "text": ("drift: alarm goes into ALARM; " * 20,),
        "version": ("1", "99999"),
    }


def calls(function: str, config: Config = CONFIG, models: tuple[str, ...] = MODELS) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every way to call a function of `naming`, and the name that it makes."""
    parameters = inspect.signature(FUNCTIONS[function]).parameters.values()
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    for values in itertools.product(*(arguments(config, models)[name] for name in required)):
        yield values, FUNCTIONS[function](*values)


@cache
def limits(kind: str) -> tuple[str, int]:
    """The pattern and the greatest length of a kind of name."""
    if not re.fullmatch(r"[\w:]+\.\w+", kind):
        return kind, 10**9
    owner, _, name = kind.rpartition(".")
    if "::" in owner:
        described = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", owner).schema["properties"][name]
        return described["pattern"], described["maxLength"]
    described = botocore.session.get_session().get_service_model(owner).shape_for(name).metadata
    return described.get("pattern", r"(?s:.*)"), described["max"]


def unfit(config: Config, model: str) -> list[str]:
    """Names that AWS would refuse."""
    return [
        f"{function}: {name}"
        for function, kind in KINDS.items()
        for _, name in calls(function, config, (model,))
        if len(name) > limits(kind)[1] or not re.fullmatch(limits(kind)[0], name)
    ]


def test_every_function_is_looked_at() -> None:
    assert FUNCTIONS.keys() == KINDS.keys()


def test_a_name_that_aws_refuses_is_seen() -> None:
    assert f"model_package_group: {naming.model_package_group(CONFIG, 'churn_')}" in unfit(CONFIG, "churn_")
    assert any(line.startswith("connection: ") for line in unfit(replace(CONFIG, project="a" * 33), "churn"))


@pytest.mark.parametrize("model", [*MODELS, "m", "a_1", "m2__x"])
def test_aws_takes_every_name(model: str) -> None:
    assert unfit(CONFIG, model) == []


PLACES = [
    CONFIG,
    replace(CONFIG, project="a"),
    replace(CONFIG, project="the-longest-of-all-projects"),
    replace(CONFIG, environments=(STAGING, replace(PRODUCTION, name="a-rather-long-name-of-a-production"))),
    replace(CONFIG, project="retail-banking-models", environments=(replace(STAGING, name="t"), replace(PRODUCTION, name="p"))),
]


@pytest.mark.parametrize("config", PLACES, ids=lambda config: f"{config.project}-{config.environments[-1].name}")
def test_the_longest_model_that_is_accepted_has_names_that_aws_takes(config: Config) -> None:
    lengths = [length for length in range(1, 33) if accepted(config, "m" * length)]

    assert lengths == list(range(1, len(lengths) + 1))
    assert unfit(config, "m" * lengths[-1]) == []
    if lengths[-1] < 32:  # what a model's own name may have
        assert unfit(config, "m" * (lengths[-1] + 1)) != []


def accepted(config: Config, name: str) -> bool:
    try:
        check(config, [model(config, name)])
    except ValueError:
        return False
    return True


def model(config: Config, name: str) -> ModelSpec:
    tables = dict(zip((e.name for e in config.environments), reference.model().serving.values(), strict=True))
    return reference.model().model_copy(update={"name": name, "serving": tables})


DESCRIBED = {
    "budget": "budgets.BudgetName",
    "bucket": "AWS::S3::Bucket.BucketName",
    "connection": "codeconnections.ConnectionName",
    "delivery pipeline": "codepipeline.PipelineName",
    "endpoint": "sagemaker.EndpointName",
    "feature group": "sagemaker.FeatureGroupName",
    "model package group": ENTITY,
    "role": ROLE,
    "rule": "events.RuleName",
    "schedule": "scheduler.Name",
}


def test_the_lengths_that_are_accepted_are_those_of_aws() -> None:
    assert {kind: limits(described)[1] for kind, described in DESCRIBED.items()} | {"queue": 80, "stack": 128} == LONGEST


def test_names_of_a_kind_differ() -> None:
    for kind in set(KINDS.values()) - {KINDS["approval"], KINDS["slug"], KINDS["title"], KINDS["metadata_value"]}:
        functions = [function for function in KINDS if KINDS[function] == kind]
        names = [name for function in functions for _, name in calls(function)]
        assert len(names) == len(set(names)), kind


def test_names_of_the_sagemaker_pipelines_differ() -> None:
    names = [name for function in ("training_pipeline", "monitoring_pipeline", "batch_pipeline") for _, name in calls(function)]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("model", [*MODELS, naming.PLATFORM, naming.EVERY])
def test_a_project_is_called_like_its_role(model: str) -> None:
    for environment in CONFIG.environments:
        assert naming.stage_project(CONFIG, model, naming.stage(environment), environment) == naming.deploy_role(CONFIG, model, environment)
    assert naming.stage_project(CONFIG, model, naming.CONTROL) == naming.controller_role(CONFIG, model)


def test_the_first_approval_is_just_that_and_the_others_say_where() -> None:
    config = replace(CONFIG, environments=(STAGING, PRODUCTION, replace(PRODUCTION, name="canada")))

    assert [naming.approval(config, environment) for environment in config.environments[1:]] == ["Approval", "Approval-canada"]


def test_a_name_of_every_model_matches_that_of_each() -> None:
    for function, kind in KINDS.items():
        parameters = inspect.signature(FUNCTIONS[function]).parameters
        if "model" not in parameters or "config" not in parameters or kind == PARAMETER:
            continue
        for values, pattern in calls(function, models=(naming.EVERY,)):
            name = FUNCTIONS[function](*(MODELS[1] if value == naming.EVERY else value for value in values))
            assert re.fullmatch(re.escape(pattern).replace(r"\*", ".+"), name), function


def test_a_text_becomes_a_value_of_metadata() -> None:
    assert naming.metadata_value("drift: alarm; since 10:00 (UTC)") == "drift: alarm  since 10:00  UTC "
    assert len(naming.metadata_value("x" * 300)) == 256


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "https://eu-west-1.console.aws.amazon.com"),
        ("cn-northwest-1", "https://cn-northwest-1.console.amazonaws.cn"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "https://eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, console: str) -> None:
    assert naming.console(region) == console
