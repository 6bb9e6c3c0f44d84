"""Composition root: configuration and models in, templates out. Asks no account and no network anything."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import App

from config import CONFIG, Config
from model_code.spec import ModelSpec, load_all
from stacks.layout import check
from stacks.serving import Serving
from stacks.toolchain import Toolchain
from stacks.watch import Watch
from stacks.workshop import Workshop


def build(app: App, config: Config, models: Sequence[ModelSpec]) -> None:
    """Add every stack to `app`.

    Raises:
        ValueError: config and models do not fit together; one line a problem.
    """
    check(config, models)
    Toolchain(app, config.stack("Toolchain"), config=config, models=models)
    for model in models:
        Workshop(app, config.stack(model.slug, "Workshop"), config=config, model=model)
        for environment in config.environments:
            Serving(app, config.stack(model.slug, "Serving", environment.name), config=config, model=model, environment=environment)
            Watch(app, config.stack(model.slug, "Watch", environment.name), config=config, model=model, environment=environment)


if __name__ == "__main__":
    app = App()
    build(app, CONFIG, load_all())
    app.synth()
