"""Fifty models fit: no template, and no pipeline, comes near what CloudFormation and CodePipeline take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import naming
from localcloud.iam import documents
from stacks.delivery import PlatformDelivery
from tests import reference
from tests.reference import CONFIG
from tests.support.layouts import CONTEXT, Layout, joined, read

pytestmark = pytest.mark.laptop("templates of fifty models")

MODELS = 50
INLINE, TRUST = 10_240, 2048  # characters of a role's policies, white space apart, by "IAM and AWS STS quotas"
BYTES, RESOURCES, OUTPUTS, PARAMETERS = 1_000_000, 500, 200, 200  # of a template, by "CloudFormation quotas"
STAGES, OF_A_STAGE, OF_A_PIPELINE = 50, 50, 500  # of a pipeline, by "Quotas in CodePipeline": stages, and actions


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The one stack that grows with the models."""
    folder = tmp_path_factory.mktemp("platform")
    app = App(outdir=str(folder), context=CONTEXT)
    models = [reference.model().model_copy(update={"name": f"model_{number}"}) for number in range(MODELS)]
    PlatformDelivery(app, naming.delivery_stack(CONFIG, naming.PLATFORM), config=CONFIG, models=models)
    return read(app, CONFIG, folder)


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each template, as it is uploaded."""
    return {path.name.removesuffix(".template.json"): path.stat().st_size for path in folder.glob("*.template.json")}


def test_the_platforms_stack_is_the_one_that_grows_with_the_models(platform: Layout, three: Layout) -> None:
    """What stands once for all models is in it, and in the toolchain's; everything else is a model's own."""
    of_models = {name for name in three.templates if any(f"-{naming.slug(model)}-" in name for model in (reference.MODEL, "credit_risk"))}

    assert set(three.templates) - of_models == {naming.toolchain_stack(CONFIG), *platform.templates}


def test_templates_are_under_half_of_what_cloudformation_takes(platform: Layout, layouts: dict[str, Layout]) -> None:
    for layout in (platform, *layouts.values()):
        assert sizes(layout.folder).keys() == layout.templates.keys()
        for name, template in layout.templates.items():
            assert sizes(layout.folder)[name] < BYTES / 2, name
            assert len(template["Resources"]) < RESOURCES / 2, name
            assert len(template.get("Outputs", {})) < OUTPUTS / 2, name
            assert len(template.get("Parameters", {})) < PARAMETERS / 2, name


def test_templates_are_written_without_indentation(three: Layout) -> None:
    assert all("\n " not in path.read_text() for path in three.folder.glob("*.template.json"))


def test_pipelines_have_room(platform: Layout, three: Layout) -> None:
    for layout in (platform, three):
        for name, pipeline in layout.every("AWS::CodePipeline::Pipeline"):
            actions = [len(stage["Actions"]) for stage in pipeline["Stages"]]
            assert len(actions) <= STAGES, name
            assert max(actions) <= OF_A_STAGE, name
            assert sum(actions) <= OF_A_PIPELINE / 2, name


def filled_in(value: Any) -> Any:
    """A policy with what CloudFormation fills in, or something as long."""
    if isinstance(value, list):
        return [filled_in(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return joined(value) if value.keys() & {"Fn::Join", "Fn::GetAtt", "Ref"} else {key: filled_in(inner) for key, inner in value.items()}


def test_roles_have_room(platform: Layout, layouts: dict[str, Layout]) -> None:
    for layout in (platform, *layouts.values()):
        for stack, role in layout.every("AWS::IAM::Role"):
            inline = sum(documents.size(filled_in(policy["PolicyDocument"])) for policy in role.get("Policies", []))
            assert inline < INLINE * 0.8, (stack, role.get("RoleName"))
            assert documents.size(filled_in(role["AssumeRolePolicyDocument"])) < TRUST / 2, (stack, role.get("RoleName"))
