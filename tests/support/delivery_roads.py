"""Every road of the reference, with a model that has all that a road may have."""

from __future__ import annotations

from dataclasses import replace

from config import Config
from paved_runtime.spec import ModelSpec
from pipelines.delivery import Job, Road, model_road, onboarding_road, platform_road, retraining_road
from tests import reference
from tests.reference import CONFIG
from tests.support.layouts import PRODUCTION, STAGING, serving


def shadowed() -> ModelSpec:
    """A second model, whose versions are compared before they take over."""
    lead = reference.model()
    tables = {**lead.serving, PRODUCTION.name: serving("shadow", instances=2)}
    return lead.model_copy(update={"name": "shadowed", "serving": tables})


def roads(config: Config = CONFIG) -> dict[str, Road]:
    """Each road by its pipeline's name."""
    models = [reference.model(), shadowed()]
    every = [
        *(road(config, model) for model in models for road in (model_road, retraining_road)),
        onboarding_road(config),
        platform_road(config, models),
    ]
    return {road.pipeline: road for road in every}


def lead() -> Road:
    """The road of the reference's model."""
    return model_road(CONFIG, reference.model())


def job(road: Road, name: str) -> Job:
    """A stage that runs commands."""
    (stage,) = [stage for stage in road.jobs if stage.name == name]
    return stage


def programs(stage: Job) -> list[str]:
    """The modules that a stage runs, in order."""
    return [str(command.words[4]) for command in stage.commands if command.words[:4] == ("./road", "exec", "python", "-m")]


def steps(stage: Job) -> list[str]:
    """The steps among them, by name."""
    return [module.rpartition(".")[2] for module in programs(stage) if module.startswith("pipelines.steps.")]


def flags(stage: Job, step: str) -> dict[str, object]:
    """The flags of the one command of a stage that runs a step, with their values: texts, or `Variable`s."""
    (words,) = [command.words for command in stage.commands if f"pipelines.steps.{step}" in command.words]
    return dict(zip(words[5::2], words[6::2], strict=True))  # type: ignore[arg-type]


def environments(*approved: bool) -> Config:
    """The reference, with an environment for each."""
    made = tuple(replace(STAGING, name=f"e{number}", approved_only=asked) for number, asked in enumerate(approved))
    return replace(CONFIG, environments=made)
