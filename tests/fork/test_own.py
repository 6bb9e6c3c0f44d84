"""What a fork has made of `config.py` and `model_code/`, whatever that is: it must be sound, and the stacks must be made of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from aws_cdk import App

from app import build
from cli import configuration
from config import Config, ManagedNetwork
from paved_runtime import feature_groups
from paved_runtime.protocol import ENTRYPOINT
from paved_runtime.spec import ModelSpec
from tests.reference import ROOT
from tests.support.layouts import CONTEXT


def test_the_configuration_is_one_that_init_would_write(own: Config) -> None:
    assert list(configuration.problems(own)) == []


def test_the_stacks_are_made_of_it(own: Config, own_models: list[ModelSpec], tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), context=CONTEXT)
    groups = feature_groups.load_all(ROOT / "feature_groups")
    build(app, own, own_models, groups)
    names = {stack.stack_name for stack in app.synth().stacks}

    of_accounts = sum(bool(account.budget) + isinstance(account.network, ManagedNetwork) + bool(groups) for account in own.accounts)
    shared = sum(bool(environment.shared_endpoints) for environment in own.environments)
    batches = sum(bool(serving.batch) for model in own_models for serving in model.serving.values())
    assert len(names) == 2 + of_accounts + shared + batches + len(own_models) * (2 + 2 * len(own.environments))


def test_every_model_has_what_the_road_asks_for(own_models: list[ModelSpec]) -> None:
    needed = ("model.toml", "features.py", "training.py", "Dockerfile", "requirements.in", "requirements.lock", "requirements-test.lock")
    missing = [f"{model.name}/{name}" for model in own_models for name in needed if not (ROOT / "model_code" / model.name / name).is_file()]

    assert missing == []


def test_every_models_image_starts_with_what_its_jobs_name(own_models: list[ModelSpec]) -> None:
    """SageMaker wants a training job's arguments together with an entry point: what the Dockerfile says is said again there."""
    files = [ROOT / "model_code" / model.name / "Dockerfile" for model in own_models]
    said = {file.parent.name: re.findall(r"(?m)^ENTRYPOINT (.+)$", file.read_text(encoding="utf-8"))[-1] for file in files}

    assert {name: tuple(json.loads(line)) for name, line in said.items()} == dict.fromkeys(said, ENTRYPOINT)
