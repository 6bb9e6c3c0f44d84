"""Makes the one image that trains, evaluates and serves a commit, and says its digest, and on which base it stands."""

from __future__ import annotations

from paved_runtime import spec
from pipelines.deployment import base_image, image
from pipelines.deployment.errors import DeploymentError
from pipelines.steps.step import open_registry, parser, print_exports, run


def main() -> None:
    """Print IMAGE_URI as a shell variable, `repository@sha256:…` for one commit of one model, and BASE_IMAGE."""
    arguments = parser(__doc__)
    arguments.add_argument("--commit", required=True)
    arguments.add_argument("--created", default="", help="the commit's date; the image is labelled with it")
    options = arguments.parse_args()
    registry = open_registry(options.model)
    try:
        base = base_image.locked(registry.config.images.base)
    except ValueError as error:
        raise DeploymentError(str(error)) from error
    source = image.Source(
        dockerfile=spec.MODELS / options.model / "Dockerfile",
        base=base,
        repository=registry.config.repository,
        commit=options.commit,
        created=options.created,
    )
    made = image.built(registry.ecr, registry.facts.image_repository, source)
    print_exports({"IMAGE_URI": made.uri, "BASE_IMAGE": str(made.base or "")})


if __name__ == "__main__":
    run(main, "build_image")
