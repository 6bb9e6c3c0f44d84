"""`road env`: what makes other tools speak to the AWS on this laptop."""

from __future__ import annotations

import os
import shlex
from typing import Annotated

import typer

import naming
from cli import local, places, sessions, target
from cli.problem import Problem
from config import CONFIG


def env(
    place: Annotated[
        str | None, typer.Argument(metavar="PLACE", help="An account number or an environment; the toolchain's without it.")
    ] = None,
    *,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Also the names of this model's things, for other tools.")] = None,
) -> None:
    """Print what makes any AWS tool speak to localcloud. In a shell: eval "$(./road env)"."""
    cloud = local.find()
    if cloud is None:
        raise Problem("localcloud", "it does not run", "./road up")
    print("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN")
    names = _names(target.model(model).name, place) if model else {}
    for name, value in {**cloud.variables(places.account(place)), **sessions.no_proxy(os.environ), **names}.items():
        print(f"export {name}={shlex.quote(value)}")


def _names(model: str, place: str | None) -> dict[str, str]:
    """What AWS calls a model's things; its endpoint, where the place is an environment."""
    endpoints = {environment.name: naming.endpoint(CONFIG, model, environment) for environment in CONFIG.environments}
    names = {
        "PIPELINE": naming.delivery_pipeline(CONFIG, model),
        "MODEL_PACKAGE_GROUP": naming.model_package_group(CONFIG, model),
        "EVIDENCE_KEY": naming.evidence_key(CONFIG, model),
        "RELEASE_KEY": naming.release_key(CONFIG, model),
    }
    return {**names, "ENDPOINT": endpoints[place]} if place in endpoints else names
