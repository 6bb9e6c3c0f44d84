"""Names that stacks of different accounts must agree on without referring to each other.

CloudFormation cannot refer across accounts, and a policy may name a role before that role exists: so a few resources
have names that follow from `config.py` and the model alone. Everything else gets a generated name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from aws_cdk import Stack

from config import Account, Config, Environment
from model_code.spec import ModelSpec
from pipelines.delivery import JUDGE

VARIANT = "live"  # an endpoint's one variant: scaling and alarms hold on to its name
SHADOW = "shadow"  # the variant that gets copies of requests
RUNS = "runs/*"  # what training writes in the artifacts bucket
SERVED = "runs/*/model.tar.gz"  # the part of it that endpoints and monitors read; the reports beside it hold rows of the data set
RETRAININGS = "retraining/*"  # what the judge writes there: which retrainings began, and which did not
ALARMS, ALARM_CHANGES = "aws.cloudwatch", "CloudWatch Alarm State Change"  # an event's source and detail-type
CAPTURE, LABELS, MONITOR = "capture", "labels", "monitor"  # folders of an endpoint's capture bucket


class Named(Protocol):
    """A model, as far as names go: `slug` is its `name` as AWS allows it."""

    @property
    def name(self) -> str: ...

    @property
    def slug(self) -> str: ...


@dataclass(frozen=True)
class _Every:
    name: str = "*"
    slug: str = "*"


EVERY = _Every()  # gives patterns that the names of every model follow; a policy that listed the names would grow too long for IAM


def image_repository(config: Config, model: Named) -> str:
    """The model's ECR repository, in the toolchain account."""
    return f"{config.project}/{model.slug}"


def artifacts_bucket(config: Config, model: Named) -> str:
    """The bucket that training writes to and endpoints of every account read from. S3 names are global, hence the account."""
    return config.name(model.name, "artifacts", config.toolchain.id)


def data_bucket(config: Config, model: Named) -> str:
    """The bucket of the model's data sets. Training reads it, and so do stages that check a data set's digest."""
    return config.name(model.name, "data", config.toolchain.id)


def evidence_key(config: Config, model: Named) -> str:
    """The alias of the key that signs the model's evidence: what a policy can name before the key exists."""
    return f"alias/{config.name(model.name, 'evidence')}"


def training_role(config: Config, model: Named) -> str:
    """The role of the training pipeline and its jobs, in the toolchain account."""
    return config.name(model.name, "training")


def execution_role(config: Config, model: Named, environment: Environment) -> str:
    """The role of the model's endpoint, in the environment's account."""
    return config.name(model.name, environment.name, "execution")


def monitor_role(config: Config, model: Named, environment: Environment) -> str:
    """The role of the monitoring job, in the environment's account."""
    return config.name(model.name, environment.name, "monitor")


def drift_alarm(config: Config, model: Named, environment: Environment) -> str:
    """The alarm that rings when what is asked, or answered, has moved."""
    return f"{config.name(model.name, environment.name)}-Drift"


def drifts(config: Config, model: Named, environment: Environment) -> dict[str, Any]:
    """The event pattern of that alarm when it begins to ring."""
    return {
        "source": [ALARMS],
        "detail-type": [ALARM_CHANGES],
        "account": [environment.account.id],
        "detail": {"alarmName": [drift_alarm(config, model, environment)], "state": {"value": ["ALARM"]}},
    }


def judge_role(config: Config, model: Named) -> str:
    """The role of the stage that decides whether a model is trained again, in the toolchain account."""
    return config.name(model.name, JUDGE)


def watched(config: Config, model: ModelSpec, environment: Environment) -> bool:
    """Whether what the endpoint is asked and answers is monitored: in the last environment, where `model.toml` says how."""
    return model.monitoring is not None and environment == config.environments[-1]


def judged(config: Config, model: ModelSpec, environment: Environment) -> bool:
    """Whether what moves there may start the road again."""
    return watched(config, model, environment) and model.monitoring is not None and model.monitoring.retraining is not None


def verifier_role(config: Config, model: Named, environment: Environment) -> str:
    """The role with which a stage reads back and asks an endpoint, in the environment's account."""
    return config.name(model.name, environment.name, "verifier")


def deploy_role(config: Config, road: str, environment: Environment) -> str:
    """The role of the stage that deploys to an environment, in the toolchain account. `road` is a model's name or `platform`."""
    return config.name(road, "deploy", environment.name)


def role_arn(scope: Stack, account: Account, name: str) -> str:
    """The ARN of a role that may live in another account."""
    return scope.format_arn(service="iam", region="", account=account.id, resource="role", resource_name=name)


def strangers(config: Config, model: ModelSpec) -> dict[str, list[str]]:
    """Account id → names of the roles there that read the model, for every account but the toolchain's. Empty when there is one account.

    Environments that share an account come together, so no policy ever names a principal twice.
    """
    roles: dict[str, list[str]] = {}
    for environment in config.environments:
        if environment.account.id != config.toolchain.id:
            monitor = [monitor_role(config, model, environment)] if watched(config, model, environment) else []
            roles.setdefault(environment.account.id, []).extend([execution_role(config, model, environment), *monitor])
    return roles
