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
            rooms = [config.stack(model.slug, room, environment.name) for room in ("Serving", "Watch")]
            serving = Serving(app, rooms[0], config=config, model=model, environment=environment)
            watch = Watch(app, rooms[1], config=config, model=model, environment=environment)
            watch.add_stack_dependency(serving)  # which tells it where things are, in SSM parameters


if __name__ == "__main__":
    app = App()
    build(app, CONFIG, load_all())
    app.synth()
