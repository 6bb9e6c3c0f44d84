"""A model in one environment, watched: what people look at once it serves."""

from __future__ import annotations

from aws_cdk import Environment as CdkEnvironment
from aws_cdk import Stack
from constructs import Construct

from config import Config, Environment
from model_code.spec import ModelSpec
from stacks import names
from stacks.constructs.dashboard import Dashboard


class Watch(Stack):
    """One endpoint's dashboard, in the environment's account. Refers to the endpoint by name, so either stack can be replaced alone."""

    def __init__(self, scope: Construct, name: str, *, config: Config, model: ModelSpec, environment: Environment) -> None:
        super().__init__(scope, name, env=CdkEnvironment(account=environment.account.id, region=environment.account.region))
        Dashboard(self, "Dashboard", endpoint_name=config.name(model.name, environment.name), variant=names.VARIANT)
