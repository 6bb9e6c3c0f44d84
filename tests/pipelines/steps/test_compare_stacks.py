"""Whether what a model's files decide differs from what stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support.moto_server import Clients
from tests.support.programs import run_step
from tests.support.shell import variables_of

REGISTRY, DELIVERY = naming.registry_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, MODEL)
TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a"}}}}
OTHER = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "b"}}}}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """Both stacks, as one template."""
    for stack in (REGISTRY, DELIVERY):
        (tmp_path / f"{stack}.template.json").write_text(json.dumps(TEMPLATE))
    return tmp_path


@pytest.mark.parametrize(
    ("deployed", "differ"),
    [
        ({REGISTRY: TEMPLATE, DELIVERY: TEMPLATE}, []),
        ({REGISTRY: TEMPLATE, DELIVERY: OTHER}, [DELIVERY]),
        ({REGISTRY: OTHER, DELIVERY: TEMPLATE}, [REGISTRY]),
        ({REGISTRY: TEMPLATE}, [DELIVERY]),
        ({}, [REGISTRY, DELIVERY]),
    ],
    ids=["equal", "the pipeline", "the registry", "no pipeline", "nothing deployed"],
)
def test_both_are_compared_with_what_is_deployed(
    deployed: dict[str, object], differ: list[str], server: str, client: Clients, tree: Path, assembly: Path
) -> None:
    for stack, template in deployed.items():
        client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template, indent=4))
    ran = run_step(tree, "compare_stacks", "--model", MODEL, "--assembly", str(assembly), url=server)

    assert variables_of(ran.stdout, assembly, "STACKS_DIFFER") == ["yes" if differ else "no"], ran.stderr
    assert ran.stderr == f"what differs from the assembly: {', '.join(differ) or 'nothing'}\n"
