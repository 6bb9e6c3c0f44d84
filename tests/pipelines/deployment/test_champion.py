"""Which version the next one must beat: the one that the ledger names last, if the registry knows it as the same."""

from __future__ import annotations

import pytest

from pipelines.deployment import package
from pipelines.deployment.champion import champion
from pipelines.deployment.errors import DeploymentError
from tests.reference import CONFIG
from tests.support.ledger import write_entry
from tests.support.world import World

PRODUCTION = CONFIG.environments[-1].name


def test_it_is_what_the_registry_knows_of_the_newest_entry(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z")

    assert champion(staged.registry(), PRODUCTION) == package.read(staged.sagemaker, staged.arn)


def test_before_the_first_deployment_there_is_none(staged: World) -> None:
    assert champion(staged.registry(), PRODUCTION) is None


def test_an_entry_that_cannot_be_trusted_names_none(staged: World) -> None:
    write_entry(staged, "2026-11-21T09:00:00Z", signer=staged.stranger)

    with pytest.raises(DeploymentError, match="no version is trusted"):
        champion(staged.registry(), PRODUCTION)


def test_a_registry_that_names_another_image_is_not_believed(staged: World) -> None:
    write_entry(staged, "2026-11-21T09:00:00Z", image_uri=f"i@sha256:{'0' * 64}")

    with pytest.raises(DeploymentError, match=r"the registry has image .*, the ledger i@sha256:000"):
        champion(staged.registry(), PRODUCTION)
