"""Which version the next one is compared with: the one that serves, asked of the endpoint itself.

The endpoint is believed only where its ledger knows the version, and the ledger only where its signatures hold: whoever could choose the
champion could choose a weak one.
"""

from __future__ import annotations

import logging

from pipelines.deployment import ledger, package, readback
from pipelines.deployment.compare_evidence import Comparison
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live import live
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.evidence.document import Evidence, LedgerEntry

log = logging.getLogger(__name__)


def champion(place: Place) -> Package | None:
    """The version that a place serves; where its endpoint is gone, the one that it served last; None where it has served nothing yet.

    Raises:
        DeploymentError: the endpoint serves what its ledger does not know, an entry cannot be trusted, or the registry names another image
            than the ledger.
    """
    entries = ledger.entries(place.registry, place.environment.name)
    if not entries:
        log.info("no champion: %s has served nothing yet", place.environment.name)
        return None
    entry = serving(place, entries)
    if entry is None:
        log.info("no champion: no version has come to serve in %s", place.environment.name)
        return None
    version = package.read(place.registry.sagemaker, entry.model_package_arn)
    if version.image != entry.image_uri:
        raise DeploymentError(
            f"{version.arn}: the registry has image {version.image}, the ledger {entry.image_uri}: find out which was changed"
        )
    log.info("champion: %s, since %s", version.arn, entry.time)
    return version


def compared(place: Place, evidence: Evidence) -> Comparison | None:
    """What a version was compared with, and what serves by now; None where nothing serves, or the version itself, by whatever number.

    Between training and a decision other versions may come to serve: being better than one of the past says nothing.
    """
    if not place.model.gates.champion.compare or place.environment != place.config.environments[-1]:
        return None
    now, then = champion(place), evidence.evaluation.champion
    if now is None or now.arn == evidence.model_package_arn or now.artifact_sha256 == evidence.artifact.sha256:
        return None
    return Comparison(what="champion", expected=then.model_package_arn if then else "no version", found=now.arn)


def serving(place: Place, entries: list[LedgerEntry]) -> LedgerEntry | None:
    """The entry of the version that serves, out of a ledger, oldest first; of one whose endpoint is gone, the last one that served.

    Raises:
        DeploymentError: the endpoint serves what no entry names.
    """
    endpoint = live(place.sagemaker, place.endpoint)
    if endpoint is None:
        log.info("endpoint %s is not there: what it served last counts", place.endpoint)
        return next((entry for entry in reversed(entries) if entry.serves), None)
    versions = {entry.model_package_arn: entry for entry in entries}  # of each version the newest
    for arn, entry in versions.items():
        if readback.made_of(endpoint.container, package.read(place.registry.sagemaker, arn)):
            return entry
    what = endpoint.package or endpoint.container.get("ModelDataUrl")
    raise DeploymentError(
        f"endpoint {place.endpoint} serves {what}, which its ledger does not know: somebody deployed it by hand:"
        f" bring a good version back: ./road rollback {place.model.name}"
    )
