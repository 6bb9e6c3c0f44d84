"""Whether a fork's configuration and its models fit together: said at synth, in words, not by an account an hour later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import available_timezones

from config import Config, Environment
from model_code.spec import ModelSpec, Serving

RESERVED = frozenset({"approval", "build", "check", "judge", "platform", "retraining", "source", "train", "update"})


def check(config: Config, models: Sequence[ModelSpec]) -> None:
    """Raise when something does not fit.

    Raises:
        ValueError: one line a problem: where it is, what was found, what is accepted.
    """
    problems = [*_environments(config), *(problem for model in models for problem in _model(config, model))]
    if problems:
        raise ValueError("\n".join(problems))


def _environments(config: Config) -> Iterator[str]:
    first = config.environments[0]
    if first.approved_only:
        yield (
            f"config.py: environment {first.name!r}: found approved_only=True in the first environment;"
            " accepted is False: the evidence that an approval needs is made there"
        )
    seen: set[str] = set()
    for environment in config.environments:
        name, region = environment.name, environment.account.region
        if name in seen or name in RESERVED:
            yield f"config.py: environment {name!r}: the name is taken; accepted is a name of its own, none of {_listed(RESERVED)}"
        seen.add(name)
        if region != config.toolchain.region:
            yield f"config.py: environment {name!r}: found region {region}; accepted is that of the images: {config.toolchain.region}"


def _model(config: Config, model: ModelSpec) -> Iterator[str]:
    if model.name in RESERVED:
        yield f"model_code/{model.name}: the name is taken; accepted is none of {_listed(RESERVED)}"
    accepted = {environment.name for environment in config.environments}
    if model.serving.keys() != accepted:
        found = _listed(model.serving)
        yield f"model_code/{model.name}/model.toml: serving: found {found}; accepted is one table for each of {_listed(accepted)}"
    watched = model.serving.get(config.environments[-1].name)
    if model.monitoring and watched and not watched.capture_percent:
        yield (
            f"model_code/{model.name}/model.toml: serving.{config.environments[-1].name}.capture_percent: found 0; accepted is more:"
            " monitoring looks at what was captured"
        )
    for environment in config.environments:
        if serving := model.serving.get(environment.name):
            for problem in _serving(serving, environment):
                yield f"model_code/{model.name}/model.toml: serving.{environment.name}.{problem}"


def _serving(serving: Serving, environment: Environment) -> Iterator[str]:
    if serving.deployment.policy == "shadow" and not environment.approved_only:
        yield (
            "deployment.policy: found 'shadow' where nothing is approved; accepted are the others:"
            " a shadow is made of a registered version, and SageMaker makes models of approved ones only"
        )
    zones = available_timezones()
    if serving.off_hours and zones and serving.off_hours.timezone not in zones:
        yield f"off_hours.timezone: found {serving.off_hours.timezone!r}; accepted is a zone of the IANA database such as 'Europe/Berlin'"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
