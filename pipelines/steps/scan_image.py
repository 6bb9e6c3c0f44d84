"""Asks what ECR's scan found in an image, and refuses one that nobody should train in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipelines.deployment import image_scan
from pipelines.deployment.errors import DeploymentError
from pipelines.steps.step import add_pace, open_registry, pace, parser, print_report, progress, run


def main() -> None:
    """Write the scan of `--image-uri` to `--report`. Raises DeploymentError for what config.py refuses."""
    arguments = parser(__doc__)
    arguments.add_argument("--image-uri", required=True, help="ends in its digest")
    arguments.add_argument("--report", required=True, type=Path, help="the file for what was found")
    add_pace(arguments)
    options = arguments.parse_args()
    registry = open_registry(options.model)
    images, today = registry.config.images, datetime.now(UTC).date()
    if images.refused_from is None:
        progress("config.py: images.refused_from is None: nobody asks what the image's scan found")
        print_report({}, options.report)
        return
    scan = image_scan.finished(registry.ecr, options.image_uri, pace(options))
    try:
        wrong = image_scan.refused(scan, images, today)
        print_report(image_scan.record(scan, images), options.report)
    except ValueError as error:
        raise DeploymentError(str(error)) from error
    if wrong:
        raise DeploymentError(image_scan.sentence(wrong, images, today))


if __name__ == "__main__":
    run(main, "scan_image")
