"""Composition root: configuration and models in, templates out. Asks no account and no network anything."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import App

import naming
from config import CONFIG, Config, Environment, ManagedNetwork
from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import ModelSpec, load_all
from stacks.batch import Batch
from stacks.budget import Budget
from stacks.delivery import ModelDelivery, PlatformDelivery
from stacks.features import Features
from stacks.layout import batched, check, chosen
from stacks.monitoring import Monitoring
from stacks.network import Network
from stacks.registry import Registry
from stacks.serving import Serving
from stacks.shared_endpoints import SharedEndpoints
from stacks.toolchain import Toolchain


def build(app: App, config: Config, models: Sequence[ModelSpec], groups: Sequence[FeatureGroup] = ()) -> None:
    """Add every stack to `app`; where its context names a `model`, only what concerns that one.

    Raises:
        ValueError: config, models and feature groups do not fit together, or there is no such model; one line a problem.
    """
    check(config, models, groups)
    only: str | None = app.node.try_get_context("model")
    if config.permissions_boundary:
        app.node.set_context("@aws-cdk/core:permissionsBoundary", {"name": config.permissions_boundary})
    features = {
        account: Features(app, naming.features_stack(config, account), config=config, account=account, groups=groups)
        for account in (config.accounts if groups else ())
    }
    toolchain = Toolchain(app, naming.toolchain_stack(config), config=config)
    if only is None:
        platform = PlatformDelivery(app, naming.delivery_stack(config, naming.PLATFORM), config=config, models=models)
        platform.add_stack_dependency(toolchain)  # which tells it where things are, in SSM parameters
    shared = {
        environment.name: SharedEndpoints(app, naming.shared_stack(config, environment), config=config, environment=environment)
        for environment in config.environments
        if environment.shared_endpoints
    }
    for model in chosen(models, only):
        registry = Registry(app, naming.registry_stack(config, model.name), config=config, model=model)
        if model.features:
            registry.add_stack_dependency(features[config.toolchain])
        ModelDelivery(app, naming.delivery_stack(config, model.name), config=config, model=model).add_stack_dependency(toolchain)
        for environment in config.environments:
            serving = _served(app, config, model, environment, groups)
            if model.serving[environment.name].component:
                serving.add_stack_dependency(shared[environment.name])
    for account in config.accounts:
        if account.budget:
            Budget(app, naming.budget_stack(config, account), config=config, account=account)
        if isinstance(account.network, ManagedNetwork):
            name = naming.network_stack(config, account)
            Network(app, name, config=config, account=account, features=bool(groups)).comes_first()


def _served(app: App, config: Config, model: ModelSpec, environment: Environment, groups: Sequence[FeatureGroup]) -> Serving:
    """What a model has in an environment; all of it depends on the stack that is returned."""
    serving = Serving(
        app, naming.serving_stack(config, model.name, environment), config=config, model=model, environment=environment, groups=groups
    )
    name = naming.monitoring_stack(config, model.name, environment)
    Monitoring(app, name, config=config, model=model, environment=environment).add_stack_dependency(serving)
    if batched(model, environment):
        name = naming.batch_stack(config, model.name, environment)
        Batch(app, name, config=config, model=model, environment=environment, groups=groups).add_stack_dependency(serving)
    return serving


if __name__ == "__main__":
    # As context: stacks that share a synthesizer share its list of assets, and each would publish those of all before it.
    app = App(context={"@aws-cdk/core:bootstrapQualifier": CONFIG.qualifier})
    build(app, CONFIG, load_all(), feature_groups.load_all())
    app.synth()
