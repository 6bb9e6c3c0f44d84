"""Which version the next one must beat: the one that serves, if the ledger knows it, and the registry knows it as the same."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment import champion as champions
from pipelines.deployment import package
from pipelines.deployment.compare_evidence import Comparison
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from tests.reference import CONFIG
from tests.support import sample
from tests.support.fake_production import Production
from tests.support.fakes import Altered, clients, refusal
from tests.support.ledger import write_entry
from tests.support.world import World

ENVIRONMENT = CONFIG.environments[-1]


def champion(world: World, sagemaker: Any = None) -> Package | None:
    """The champion where `sagemaker` is production's, or the world's package serves there."""
    there = clients({"sagemaker": sagemaker or Production.serving(world.arn)})
    return champions.champion(Place(registry=world.registry(), environment=ENVIRONMENT, deployer=there, verifier=there))


def test_it_is_what_serves(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z")

    assert champion(staged) == package.read(staged.sagemaker, staged.arn)


def test_it_is_what_serves_though_its_stage_has_failed(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z", action="deploying")
    write_entry(staged, "2026-11-20T09:05:00Z", action="unproven")

    assert champion(staged) == package.read(staged.sagemaker, staged.arn)


def test_before_the_first_deployment_there_is_none(staged: World) -> None:
    assert champion(staged) is None


def gone(**_: Any) -> Any:
    raise refusal("ValidationException", 'Could not find endpoint "production".')


def test_where_the_endpoint_is_gone_what_served_last_counts(staged: World) -> None:
    endpoint = Altered(Production.serving(staged.arn), describe_endpoint=gone)
    write_entry(staged, "2026-11-20T09:00:00Z", action="unproven")
    assert champion(staged, endpoint) is None
    write_entry(staged, "2026-11-21T09:00:00Z")

    assert champion(staged, endpoint) == package.read(staged.sagemaker, staged.arn)


def test_what_somebody_deployed_by_hand_is_no_champion(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z")

    with pytest.raises(DeploymentError, match=r"serves .*/99, which its ledger does not know: somebody deployed it by hand: .*rollback"):
        champion(staged, Production.serving(f"{sample.ARN}/99"))


def test_an_entry_that_cannot_be_trusted_names_none(staged: World) -> None:
    write_entry(staged, "2026-11-21T09:00:00Z", signer=staged.stranger)

    with pytest.raises(DeploymentError, match="no version is trusted"):
        champion(staged)


def test_a_registry_that_names_another_image_is_not_believed(staged: World) -> None:
    write_entry(staged, "2026-11-21T09:00:00Z", image_uri=f"i@sha256:{'0' * 64}")

    with pytest.raises(DeploymentError, match=r"the registry has image .*, the ledger i@sha256:000"):
        champion(staged)


def stale(world: World, compared_with: str | None, serves: str) -> Comparison | None:
    """The comparison where evidence names one champion and another version serves."""
    there = clients({"sagemaker": Production.serving(serves)})
    place = Place(registry=world.registry(), environment=ENVIRONMENT, deployer=there, verifier=there)
    known = sample.evidence()
    then = known.evaluation.champion
    assert then
    champion = then.model_copy(update={"model_package_arn": compared_with}) if compared_with else None
    return champions.compared(place, known.model_copy(update={"evaluation": known.evaluation.model_copy(update={"champion": champion})}))


def test_what_was_compared_with_another_version_than_serves_by_now_is_told(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z")
    older = f"{sample.ARN}/3"
    fresh, past, nobody = (stale(staged, compared_with, staged.arn) for compared_with in (staged.arn, older, None))

    assert fresh
    assert fresh.matches
    assert [each.line() for each in (past, nobody) if each] == [
        f"champion does not match: found {staged.arn}, expected {older}",
        f"champion does not match: found {staged.arn}, expected no version",
    ]
