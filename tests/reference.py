"""The configuration and the models that tests run on: frozen, so that no edit of a fork's own changes what is tested.

Its names and numbers are nobody's. What a fork edits is looked at in tests/fork alone.
"""

from __future__ import annotations

from pathlib import Path

from config import Account, Config, Environment, Repository
from localcloud.testing import VERIFICATION
from paved_runtime import spec
from paved_runtime.spec import ModelSpec
from tests.support.accounts import on_accounts

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "packages/runtime/tests/model_code"
MODEL = "lead_scoring"

CONFIG = Config(
    project="acme-risk",
    toolchain=Account(id="100000000001", region="eu-central-1"),
    environments=(
        Environment(name="staging", account=Account(id="100000000002", region="eu-central-1"), approved_only=False),
        Environment(name="production", account=Account(id="100000000003", region="eu-central-1"), approved_only=True),
    ),
    repository=Repository(id="acme/risk-models", branch="main"),
    owners=("risk-platform@acme.test",),
)

if VERIFICATION:  # the same road under a run's prefix, on its accounts, from its repository
    CONFIG = on_accounts(CONFIG, VERIFICATION)


def model(name: str = MODEL) -> ModelSpec:
    """A frozen model."""
    return spec.load(name, MODELS)
