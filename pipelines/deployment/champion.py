"""Which version the next one is compared with: the one that the ledger names last.

The ledger is believed only where its signature holds: whoever could choose the champion could choose a weak one.
"""

from __future__ import annotations

import logging

from pipelines.deployment import ledger, package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import Package
from pipelines.deployment.registry import Registry

log = logging.getLogger(__name__)


def champion(registry: Registry, environment: str) -> Package | None:
    """The version that an environment served last; None where it has served nothing yet.

    Raises:
        DeploymentError: the ledger's entry cannot be trusted, or the registry names another image than the ledger.
    """
    entry = ledger.newest(registry, environment)
    if entry is None:
        log.info("no champion: %s has served nothing yet", environment)
        return None
    version = package.read(registry.sagemaker, entry.model_package_arn)
    if version.image != entry.image_uri:
        raise DeploymentError(
            f"{version.arn}: the registry has image {version.image}, the ledger {entry.image_uri}: find out which was changed"
        )
    log.info("champion: %s, since %s", version.arn, entry.time)
    return version
