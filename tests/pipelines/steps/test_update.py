"""The toolchain's stacks are brought to what a commit says, and a model without a road gets one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import naming
from pipelines.deployment import toolchain
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.moto_server import Clients
from tests.support.programs import run_step

NOWHERE = "http://127.0.0.1:1"
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
MODELS = [MODEL]  # of the tree


@pytest.fixture
def assembly(programs: Path) -> Path:
    """An assembly that a `cdk` takes."""
    (programs / "manifest.json").write_text("{}")
    return programs


def deployed(folder: Path) -> list[list[str]]:
    """The stacks of each call of CDK."""
    calls = (folder / "cdk.log").read_text().split("deploy\n")[1:]
    return [call.split("--app\n")[1].splitlines()[1:] for call in calls]


def test_a_models_own(tree: Path, assembly: Path) -> None:
    ran = run_step(tree, "update", "--model", MODEL, "--assembly", str(assembly), url=NOWHERE)

    assert deployed(assembly) == toolchain.of_model(CONFIG, reference.model()), ran.stderr
    assert json.loads(ran.stdout) == {"stacks": [naming.registry_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, MODEL)]}


def test_everything(tree: Path, assembly: Path) -> None:
    ran = run_step(tree, "update", "--assembly", str(assembly), url=NOWHERE)

    assert deployed(assembly) == toolchain.of_all(CONFIG, MODELS), ran.stderr


def test_a_model_without_a_road_gets_one(server: str, tree: Path, programs: Path) -> None:
    """The fake `cdk` makes no assembly where it is asked for one, so this one does."""
    cdk = programs / "cdk"
    cdk.write_text(cdk.read_text() + '[ "$1" = synth ] && touch "$4/manifest.json"\nexit 0\n')
    ran = run_step(tree, "onboard", url=server)
    calls = (programs / "cdk.log").read_text()

    assert json.loads(ran.stdout) == {"models": MODELS}, ran.stderr
    assert calls.startswith("synth\n--quiet\n--output\n")
    assert calls.count("synth\n") == 1
    assert deployed(programs) == [
        stacks for model in MODELS for stacks in toolchain.of_model(CONFIG, reference.model().model_copy(update={"name": model}))
    ]


def test_where_every_model_has_a_road_nothing_is_synthesised(server: str, client: Clients, tree: Path, programs: Path) -> None:
    for model in MODELS:
        client("cloudformation").create_stack(StackName=naming.delivery_stack(CONFIG, model), TemplateBody=TEMPLATE)
    ran = run_step(tree, "onboard", url=server)

    assert (json.loads(ran.stdout), ran.stderr) == ({"models": []}, "every model has its road\n")
    assert not (programs / "cdk.log").exists()
