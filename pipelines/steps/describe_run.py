"""Says what a run of the training pipeline is made for: image, commit and data, and the version that the new one is compared with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import naming
from config import CONFIG
from paved_runtime import spec
from pipelines.deployment.champion import champion
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.feature_store import stores
from pipelines.deployment.registry import Registry
from pipelines.deployment.training_inputs import base_of, sources_sha256
from pipelines.evidence import pack
from pipelines.run import Run
from pipelines.steps.step import open_place, parser, run


def main() -> None:
    """Print the run as JSON."""
    arguments = parser(__doc__)
    arguments.add_argument("--image-uri", required=True, help="ends in its digest")
    arguments.add_argument("--commit", required=True)
    arguments.add_argument("--cause", required=True, help="why there is a run")
    options = arguments.parse_args()
    place = open_place(options.model, CONFIG.environments[-1].name)
    registry, config = place.registry, place.config
    data = registry.facts.data
    if data is None:
        path = naming.parameter(config, options.model, "data")
        raise DeploymentError(f"{path}: no data set was stored: store one: ./road data put {options.model} FILE.csv")
    version, features = champion(place), stores(registry.sagemaker, config, registry.model.features)
    described = Run(
        image_uri=options.image_uri,
        data_uri=data.uri,
        data_sha256=data.sha256,
        data_version=data.version,
        commit=options.commit,
        role=registry.facts.training_role,
        key=registry.facts.key,
        artifacts=registry.artifacts,
        region=config.toolchain.region,
        cause=options.cause,
        sources_sha256=_sources(registry, options.image_uri),
        champion_arn=version.arn if version else "",
        champion_image_uri=version.image if version else "",
        champion_model_uri=version.data if version else "",
        subnets=registry.facts.subnets,
        security_groups=registry.facts.security_groups,
        features=features,
        features_until=datetime.now(UTC).isoformat(timespec="seconds") if features else "",
    )
    print(described.json())


def _sources(registry: Registry, image: str) -> str:
    """What training depends on in this folder, as a digest; empty where nobody knows on what Build has built the image."""
    bill = pack.read(registry.s3, pack.bill_of_materials(registry.artifacts, image))
    base = base_of(bill, registry.config.project) if bill else ""
    return sources_sha256(registry.model, base, root=Path(), models=spec.MODELS) if base else ""


if __name__ == "__main__":
    run(main, "describe_run")
