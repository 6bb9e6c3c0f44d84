"""Every account layout, synthesised once a session with two models that differ in how they serve."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import build
from config import CONFIG, Account, Config, Environment
from model_code.spec import Deployment, ModelSpec, Serving, load
from stacks.serving import Serving as ServingStack

ACCOUNTS = {
    "three": ("111111111111", "222222222222", "333333333333"),
    "two": ("111111111111", "222222222222", "222222222222"),
    "two-staging-at-home": ("111111111111", "111111111111", "333333333333"),
    "one": ("111111111111", "111111111111", "111111111111"),
}
CONTEXT = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]  # the CDK CLI passes these; tests must too
Template = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One synthesised configuration: `templates` by stack name, `account_of` a stack."""

    config: Config
    templates: dict[str, Template]
    account_of: dict[str, str]
    folder: Path

    def only(self, stack: str, kind: str) -> dict[str, Any]:
        """The properties of a stack's one resource of a type."""
        found: dict[str, Any]
        (found,) = self.all(stack, kind).values()
        return found

    def all(self, stack: str, kind: str) -> dict[str, Any]:
        """Logical id → properties, for every resource of a type in a stack."""
        resources = self.templates[stack]["Resources"]
        return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}

    def every(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """(stack, properties) of every resource of a type."""
        return [(stack, properties) for stack in self.templates for properties in self.all(stack, kind).values()]


def configuration(name: str) -> Config:
    """The project's configuration, over the accounts of a layout."""
    toolchain, staging, production = (Account(id=account, region="eu-west-1") for account in ACCOUNTS[name])
    return replace(
        CONFIG,
        toolchain=toolchain,
        environments=(
            Environment(name="staging", account=staging, approved_only=False),
            Environment(name="production", account=production, approved_only=True),
        ),
    )


def serving(policy: str, **rest: Any) -> Serving:
    """One environment's table."""
    return Serving(instance_type="ml.m5.large", deployment=Deployment(policy=policy, **rest.pop("deployment", {})), **rest)  # type: ignore[arg-type]


def models() -> list[ModelSpec]:
    """A model with a scaled canary, and one that moves in steps on machines with their own disks."""
    lead = load("lead_scoring")
    scaled = {
        "staging": serving("all-at-once", instances=1, deployment={"bake_minutes": 1}),
        "production": serving("canary", instances=2, maximum_instances=6, deployment={"size_percent": 50, "bake_minutes": 10}),
    }
    steady = {
        "staging": serving("all-at-once", instances=1, capture_percent=0),
        "production": serving("linear", instances=4, deployment={"size_percent": 25, "bake_minutes": 5}).model_copy(
            update={"instance_type": "ml.m5d.large"}
        ),
    }
    return [lead.model_copy(update={"serving": scaled}), lead.model_copy(update={"name": "credit_risk", "serving": steady})]


@pytest.fixture(scope="session")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    """Every layout by name."""
    return {name: synth(configuration(name), tmp_path_factory.mktemp(name)) for name in ACCOUNTS}


@pytest.fixture(params=ACCOUNTS)
def layout(request: pytest.FixtureRequest, layouts: dict[str, Layout]) -> Layout:
    """Each layout in turn."""
    return layouts[request.param]


@pytest.fixture
def three(layouts: dict[str, Layout]) -> Layout:
    """The layout with an account for each."""
    return layouts["three"]


def synth(config: Config, folder: Path) -> Layout:
    """Build every stack and read the templates back."""
    app = App(outdir=str(folder), context=CONTEXT)
    build(app, config, models())
    return read(app, config, folder)


def production(folder: Path, **tables: Serving) -> Layout:
    """The serving stacks of a model in production, one for each of its tables, under its name."""
    config, lead = configuration("three"), load("lead_scoring")
    app = App(outdir=str(folder), context=CONTEXT)
    for name, table in tables.items():
        model = lead.model_copy(update={"serving": {"production": table}})
        ServingStack(app, name, config=config, model=model, environment=config.environments[-1])
    return read(app, config, folder)


def read(app: App, config: Config, folder: Path) -> Layout:
    """An app's templates."""
    stacks = app.synth().stacks
    return Layout(
        config=config,
        templates={stack.stack_name: json.loads(Path(stack.template_full_path).read_text()) for stack in stacks},
        account_of={stack.stack_name: stack.environment.account for stack in stacks},
        folder=folder,
    )
