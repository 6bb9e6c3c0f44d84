"""The stacks of the reference as templates: in every layout of accounts, and of one model with any table of `model.toml`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aws_cdk import App

from app import build
from config import Account, Config
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import Deployment, ModelSpec, Serving
from stacks.serving import Serving as ServingStack
from tests import reference
from tests.reference import CONFIG, ROOT

HOME, *AWAY = CONFIG.accounts
ACCOUNTS: dict[str, tuple[Account, ...]] = {  # of the environments; the toolchain is at home
    "three": (AWAY[0], AWAY[-1]),
    "two": (AWAY[0], AWAY[0]),
    "two-staging-at-home": (HOME, AWAY[-1]),
    "one": (HOME, HOME),
}
STAGING, PRODUCTION = CONFIG.environments  # for names, which are the same in every layout
STEADY = "credit_risk"  # the second model
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]  # the CDK CLI passes these; tests must too
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
        properties: dict[str, Any]
        (properties,) = self.all(stack, kind).values()
        return properties

    def all(self, stack: str, kind: str) -> dict[str, dict[str, Any]]:
        """Logical id → properties, for every resource of a type in a stack."""
        resources = self.templates[stack]["Resources"]
        return {name: resource.get("Properties", {}) for name, resource in resources.items() if resource["Type"] == kind}

    def every(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """(stack, properties) of every resource of a type."""
        return [(stack, properties) for stack in self.templates for properties in self.all(stack, kind).values()]

    def role(self, stack: str, name: str) -> dict[str, Any]:
        """The properties of a stack's role, by its name."""
        (role,) = [role for role in self.all(stack, "AWS::IAM::Role").values() if role.get("RoleName") == name]
        return role

    def statements(self, stack: str, name: str) -> list[dict[str, Any]]:
        """What a role may do."""
        statements: list[dict[str, Any]] = self.role(stack, name)["Policies"][0]["PolicyDocument"]["Statement"]
        return statements


def configuration(name: str) -> Config:
    """The reference's configuration, over the accounts of a layout."""
    environments = (replace(e, account=account) for e, account in zip(CONFIG.environments, ACCOUNTS[name], strict=True))
    return replace(CONFIG, environments=tuple(environments))


def serving(policy: str, **rest: Any) -> Serving:
    """One environment's table."""
    return Serving(instance_type="ml.m5.large", deployment=Deployment(policy=policy, **rest.pop("deployment", {})), **rest)  # type: ignore[arg-type]


def trained_for(minutes: int, **changes: Any) -> ModelSpec:
    """The reference's model, each of whose jobs may train for so long."""
    lead = reference.model()
    return lead.model_copy(update={"training": lead.training.model_copy(update={"max_runtime_minutes": minutes, **changes})})


def models() -> tuple[ModelSpec, ModelSpec]:
    """A model with a scaled canary, and one that moves in steps on machines with their own disks."""
    lead = reference.model()
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
    return lead.model_copy(update={"serving": scaled}), lead.model_copy(update={"name": STEADY, "serving": steady})


def synth(config: Config, specs: Sequence[ModelSpec], folder: Path, *, groups: Sequence[FeatureGroup] = (), **context: str) -> Layout:
    """Build every stack, or those that `context` asks for, and read the templates back."""
    app = App(outdir=str(folder), context=CONTEXT | context)
    build(app, config, specs, groups)
    return read(app, config, folder)


def production(folder: Path, model: ModelSpec | None = None, /, **tables: Serving) -> Layout:
    """The serving stacks of a model in production, one for each of its tables, under its name; of the reference's, if none is named."""
    config, lead = configuration("three"), model or reference.model()
    app = App(outdir=str(folder), context=CONTEXT)
    for name, table in tables.items():
        served = lead.model_copy(update={"serving": {PRODUCTION.name: table}})
        ServingStack(app, name, config=config, model=served, environment=config.environments[-1])
    return read(app, config, folder)


def joined(value: Any) -> str:
    """A template's text, with the names of what CloudFormation fills in."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(map(joined, parts))
    return str(value.get("Ref") or f"arn:aws:iam::{HOME.id}:role/{value['Fn::GetAtt'][0]}")


def listed(value: Any) -> list[Any]:
    """A value that policies write alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def read(app: App, config: Config, folder: Path) -> Layout:
    """Synthesise, and read the templates back."""
    stacks = app.synth().stacks
    return Layout(
        config=config,
        templates={stack.stack_name: json.loads(Path(stack.template_full_path).read_text()) for stack in stacks},
        account_of={stack.stack_name: stack.environment.account for stack in stacks},
        folder=folder,
    )
