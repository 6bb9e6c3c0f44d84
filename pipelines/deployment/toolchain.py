"""The stacks of the toolchain's account, in groups that are deployed one after the other, and those that any account may have.

A registry comes before the pipeline that needs it, which CodePipeline starts when it is made. The pipeline that may be running this comes
last: a change of its definition cancels its executions, and starts it anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import naming
from config import Account, Config, Environment, ManagedNetwork
from paved_runtime import feature_groups
from paved_runtime.spec import ModelSpec


def of_account(config: Config, account: Account) -> list[str]:
    """The stacks of an account's managed network, budget and features, where it has them: before every other there."""
    network = [naming.network_stack(config, account)] if isinstance(account.network, ManagedNetwork) else []
    budget = [naming.budget_stack(config, account)] if account.budget else []
    return [*network, *budget, *([naming.features_stack(config, account)] if feature_groups.names() else [])]


def of_features(config: Config) -> list[str]:
    """The feature groups of every account: records are put into all of them before a model that looks them up is deployed."""
    return [naming.features_stack(config, account) for account in config.accounts] if feature_groups.names() else []


def of_environment(config: Config, environment: Environment) -> list[str]:
    """What an environment's models stand on: what its account has, and the endpoints that models share."""
    shared = [naming.shared_stack(config, environment)] if environment.shared_endpoints else []
    return [*of_account(config, environment.account), *shared]


def of_model(config: Config, model: ModelSpec) -> list[list[str]]:
    """What a model has there, after the features that it is trained on."""
    features = [[naming.features_stack(config, config.toolchain)]] if model.features else []
    return [*features, [naming.registry_stack(config, model.name)], [naming.delivery_stack(config, model.name)]]


def of_all(config: Config, models: Sequence[str]) -> list[list[str]]:
    """Everything there, of these models."""
    registries = [naming.registry_stack(config, model) for model in models]
    deliveries = [naming.delivery_stack(config, model) for model in models]
    first = [*of_account(config, config.toolchain), naming.toolchain_stack(config), *registries]
    return [first, deliveries, [naming.delivery_stack(config, naming.PLATFORM)]]
