"""What the records were made of that a version was trained on: so each feature can be followed to its source, its SQL and its commit.

Evidence keeps of manifests what stays as it is while an ingestion goes on, so that proving twice gives the same document.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import naming
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import Evaluation, Ingestion

AT_ONCE = 8  # manifests that are read


def behind(registry: Registry, evaluation: Evaluation) -> dict[str, dict[str, Ingestion]] | None:
    """By feature group the ingestions of whose records a version has learnt; None where it looks nothing up.

    Raises:
        DeploymentError: records name an ingestion that has no manifest: who puts by the road leaves one.
        DocumentError: a manifest does not say what it must.
    """
    if evaluation.features is None:
        return None
    return {group: _ingestions(registry, group, features.ingestions) for group, features in evaluation.features.items()}


def _ingestions(registry: Registry, group: str, names: Iterable[str]) -> dict[str, Ingestion]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(partial(_read, registry, group), names), strict=True))


def _read(registry: Registry, group: str, ingestion: str) -> Ingestion:
    uri = naming.ingestion_manifest(registry.config, registry.config.toolchain, group, ingestion)
    content = pack.read(registry.s3, uri)
    if content is None:
        raise DeploymentError(
            f"feature group {group}: records name the ingestion {ingestion}, and {uri} is not there: nothing was signed: find out who put"
            " them, put them by ./road features put, and train again"
        )
    manifest = document.read_json(content, uri)
    kept = {name: manifest.get(name) for name in ("sql_sha256", "group_sha256", "commit")}
    return document.parse(Ingestion, {**kept, "source": [file.get("sha256") for file in manifest.get("source", [])]}, uri)
