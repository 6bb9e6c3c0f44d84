"""Makes the one image that trains, evaluates and serves a commit, and says its digest."""

from __future__ import annotations

from paved_runtime import spec
from pipelines.deployment import image
from pipelines.steps.step import open_registry, parser, print_exports, run


def main() -> None:
    """Print IMAGE_URI as a shell variable: `repository@sha256:…` for one commit of one model."""
    arguments = parser(__doc__)
    arguments.add_argument("--commit", required=True)
    options = arguments.parse_args()
    registry = open_registry(options.model)
    dockerfile = spec.MODELS / options.model / "Dockerfile"
    uri = image.built(registry.ecr, registry.facts.image_repository, options.commit, dockerfile=dockerfile)
    print_exports({"IMAGE_URI": uri})


if __name__ == "__main__":
    run(main, "build_image")
