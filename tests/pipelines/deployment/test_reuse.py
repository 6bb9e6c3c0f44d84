"""A push that changes nothing which training depends on goes on with what was trained, and says so; any doubt is a reason to train."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from pipelines.deployment import package, reuse
from pipelines.deployment.champion import compared
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.rollback import MARK
from pipelines.evidence import document, pack, page, statements
from pipelines.run import Run
from tests.reference import CONFIG
from tests.support import sample
from tests.support.fake_production import Production
from tests.support.fakes import Altered, Paginator, clients
from tests.support.ledger import write_entry
from tests.support.runs import RUN
from tests.support.world import EXECUTION, INPUTS, MODEL, World, deliver, source, trained

LATER = "1234abcd" * 5


@pytest.fixture
def world(evidence_server: str) -> World:
    """Of each test its own."""
    return trained(evidence_server)


def registry(world: World, **training: Any) -> Registry:
    """The model's registry, whose group of versions is the world's."""
    group = world.arn.split("/")[1]

    def listed(arguments: dict[str, Any]) -> Any:
        return world.sagemaker.list_model_packages(**{**arguments, "ModelPackageGroupName": group})

    def created(**arguments: Any) -> Any:
        return world.sagemaker.create_model_package(**{**arguments, "ModelPackageGroupName": group})

    sagemaker = Altered(world.sagemaker, get_paginator=lambda _: Paginator(listed), create_model_package=created)
    model = MODEL.model_copy(update={"training": MODEL.training.model_copy(update=training)})
    return replace(world.registry(sagemaker=sagemaker), model=model)


def run(world: World, **changes: Any) -> Run:
    """A run of a later push, compared with what the version was compared with."""
    champion = world.evidence.evaluation.champion
    champions = (
        {"champion_arn": champion.model_package_arn, "champion_image_uri": "image", "champion_model_uri": "s3://a/b"} if champion else {}
    )
    return replace(RUN, **{"commit": LATER, **champions, **changes})


def again(world: World) -> tuple[World, Package]:
    """What a later push makes of it, in the same AWS."""
    there = registry(world)
    same = reuse.reusable(there, run(world), INPUTS)
    assert same
    version = reuse.register(there, run(world), same, execution=EXECUTION)
    return replace(world, arn=version.arn, commit=LATER, actions=[source(CommitId=LATER)]), version


def test_a_delivery_has_a_version_of_its_own_made_of_the_same(world: World) -> None:
    first = package.read(world.sagemaker, world.arn)
    _, version = again(world)

    assert version.arn == f"{world.arn.rpartition('/')[0]}/2"
    assert (version.image, version.data, version.artifact_sha256) == (first.image, first.data, first.artifact_sha256)
    assert (version.status, version.metadata["commit"], version.metadata["delivery"]) == ("PendingManualApproval", LATER, EXECUTION)
    assert (version.metadata["trained_as"], version.metadata["trained_commit"]) == (world.arn, sample.COMMIT)
    assert version.metadata["data_version"] == first.metadata["data_version"]


def test_done_twice_it_is_one_version(world: World) -> None:
    _, version = again(world)

    assert again(world)[1] == version
    assert len(world.sagemaker.list_model_packages(ModelPackageGroupName=world.arn.split("/")[1])["ModelPackageSummaryList"]) == 2


def test_the_next_push_goes_on_with_what_was_trained_not_with_what_was_delivered(world: World) -> None:
    again(world)
    there = registry(world)
    same = reuse.reusable(there, run(world, commit="5" * 40), INPUTS)
    assert same
    third = reuse.register(there, run(world, commit="5" * 40), same, execution="another")

    assert third.metadata["trained_as"] == world.arn
    assert third.arn.endswith("/3")


def test_its_evidence_says_so_and_everything_later_holds(world: World) -> None:
    before = world.read(world.uri)
    delivered, _ = again(world)
    evidence = delivered.prove()
    sentence = delivered.approve()

    assert evidence.commit.id == LATER
    assert evidence.reuse
    assert evidence.reuse.model_dump() == {
        "model_package_arn": world.arn,
        "commit": sample.COMMIT,
        "inputs_sha256": INPUTS,
    }
    assert (evidence.training.execution_arn, evidence.training.inputs_sha256) == (world.training, INPUTS)
    assert evidence.trained_commit == evidence.evaluation.commit == sample.COMMIT
    assert delivered.wrong() == set()
    assert LATER in sentence
    assert world.read(world.uri) == before
    assert world.approval_uri != delivered.approval_uri
    assert pack.read(world.s3, world.approval_uri) is None


def test_an_auditor_reads_both_commits(world: World) -> None:
    delivered, _ = again(world)
    evidence = delivered.prove()
    (provenance, _) = statements.of_evidence(evidence)
    sources = {each["name"]: each["digest"].get("gitCommit") for each in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]}
    shown = page.render(evidence, sample.report())

    assert (sources["source"], sources["delivered source"]) == (sample.COMMIT, LATER)
    assert "nothing that training depends on has changed since" in shown
    assert sample.COMMIT[:10] in shown
    assert INPUTS in shown


def test_evidence_of_what_was_trained_is_as_it_was(world: World) -> None:
    content = json.loads(document.canonical(world.evidence))

    assert "reuse" not in content
    assert content["training"]["inputs_sha256"] == INPUTS
    assert world.evidence.trained_commit == sample.COMMIT


@pytest.mark.parametrize(
    ("metadata", "wrong"),
    [
        ({"trained_commit": "6" * 40}, "commit of training: the registry"),
        ({"training_sha256": "0" * 64}, "training inputs: the registry"),
        ({"commit": "6" * 40}, f"commit: the source revision says {LATER}, the registry"),
    ],
)
def test_a_registry_that_says_something_else_gets_no_evidence(world: World, metadata: dict[str, str], wrong: str) -> None:
    delivered, version = again(world)
    world.sagemaker.update_model_package(ModelPackageArn=version.arn, CustomerMetadataProperties=metadata)

    with pytest.raises(DeploymentError, match=f"{wrong} says"):
        delivered.prove()


def test_another_version_that_it_claims_to_be_is_noticed(world: World, evidence_server: str) -> None:
    delivered, version = again(world)
    other = deliver(evidence_server)
    world.sagemaker.update_model_package(ModelPackageArn=version.arn, CustomerMetadataProperties={"trained_as": other.arn})
    world.sagemaker.update_model_package(ModelPackageArn=other.arn, CustomerMetadataProperties={"training_sha256": INPUTS})

    with pytest.raises(DeploymentError, match=r"what was trained: the registry says \w+, version 1 says"):
        delivered.prove()


def test_after_the_approval_what_it_was_trained_as_cannot_be_changed(world: World) -> None:
    delivered, version = again(world)
    delivered.prove()
    delivered.approve()
    world.sagemaker.update_model_package(ModelPackageArn=version.arn, CustomerMetadataProperties={"trained_as": version.arn})

    assert delivered.wrong() == {"trained as"}


@pytest.mark.parametrize(
    ("inputs", "changes", "training"),
    [
        ("8f" * 32, {}, {}),
        ("", {}, {}),
        (INPUTS, {"cause": "drift: alarm x is in ALARM since 2026-11-21T09:00:00Z"}, {}),
        (INPUTS, {"cause": "schedule"}, {}),
        (INPUTS, {}, {"reuse": False}),
    ],
)
def test_it_is_trained(world: World, inputs: str, changes: dict[str, Any], training: dict[str, Any]) -> None:
    """Where what training depends on is other or not known, where something else than a push asks, and where model.toml wants it."""
    assert reuse.reusable(registry(world, **training), run(world, **changes), inputs) is None


def reasons(world: World, caplog: pytest.LogCaptureFixture, **changes: Any) -> str:
    with caplog.at_level(logging.INFO, "pipelines"):
        assert reuse.reusable(registry(world), run(world, **changes), INPUTS) is None
    return caplog.text


def test_what_was_not_proven_is_not_reused(evidence_server: str, caplog: pytest.LogCaptureFixture) -> None:
    world = deliver(evidence_server)
    world.sagemaker.update_model_package(ModelPackageArn=world.arn, CustomerMetadataProperties={"training_sha256": INPUTS})
    with caplog.at_level(logging.INFO, "pipelines"):
        assert reuse.reusable(registry(world), replace(RUN, commit=LATER), INPUTS) is None

    assert f"trained again, though {world.arn} was trained on the same: {world.uri}: there is no evidence" in caplog.text


def test_evidence_of_a_stranger_is_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    content = world.read(world.uri)
    with world.holding(f"{world.uri}.sig", world.stranger.sign(content).encode()):
        assert "no evidence with a signature that holds" in reasons(world, caplog)


def test_a_swapped_image_is_noticed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    described = world.sagemaker.describe_model_package(ModelPackageName=world.arn)["InferenceSpecification"]
    container = {**described["Containers"][0], "Image": f"{sample.REPOSITORY}@sha256:{'f' * 64}"}
    world.sagemaker.update_model_package(ModelPackageArn=world.arn, InferenceSpecification={**described, "Containers": [container]})

    assert "image does not match" in reasons(world, caplog)


@pytest.mark.parametrize("change", [{"ModelApprovalStatus": "Rejected"}, {"CustomerMetadataProperties": {MARK: "an alarm"}}])
@pytest.mark.parametrize("which", ["trained", "delivered"])
def test_what_somebody_said_no_to_is_trained_again(
    world: World, caplog: pytest.LogCaptureFixture, change: dict[str, Any], which: str
) -> None:
    arn = again(world)[1].arn if which == "delivered" else world.arn
    world.sagemaker.update_model_package(ModelPackageArn=arn, **change)

    assert f"{arn} was rejected or rolled back" in reasons(world, caplog)


def test_another_champion_is_another_comparison(world: World, evidence_server: str, caplog: pytest.LogCaptureFixture) -> None:
    other = deliver(evidence_server)
    said = reasons(world, caplog, champion_arn=other.arn, champion_image_uri="image", champion_model_uri="s3://a/b")

    assert f"{other.arn} serves" in said


def test_the_version_itself_is_no_other_champion(world: World) -> None:
    serves = {"champion_image_uri": "image", "champion_model_uri": "s3://a/b"}
    delivered, _ = again(world)

    for champion in (world.arn, delivered.arn):
        assert reuse.reusable(registry(world), run(world, champion_arn=champion, **serves), INPUTS)


def test_in_production_what_serves_by_another_number_is_no_other_champion(world: World) -> None:
    write_entry(world, "2026-11-21T09:00:00Z")
    delivered, _ = again(world)
    there = clients({"sagemaker": Production.serving(world.arn)})
    place = Place(registry=world.registry(), environment=CONFIG.environments[-1], deployer=there, verifier=there)

    assert compared(place, delivered.prove()) is None


def test_an_archive_that_is_another_by_now_is_not_delivered(world: World) -> None:
    there = registry(world)
    same = reuse.reusable(there, run(world), INPUTS)
    assert same
    altered = same.evidence.model_copy(update={"artifact": same.evidence.artifact.model_copy(update={"sha256": "0" * 64})})

    with pytest.raises(DeploymentError, match=r"the evidence of \S+ says 0000"):
        reuse.register(there, run(world), replace(same, evidence=altered), execution=EXECUTION)
