"""Says what is in an image: stores its bill of materials under its digest."""

from __future__ import annotations

import json
import re
from pathlib import Path

from paved_runtime import spec
from pipelines.deployment.bill_of_materials import bill, store
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import pack
from pipelines.steps.step import open_registry, parser, print_report, progress, run


def main() -> None:
    """Store the bill of materials of `--image-uri`."""
    arguments = parser(__doc__)
    arguments.add_argument("--image-uri", required=True, help="ends in its digest")
    arguments.add_argument("--base-image", required=True, help="what it was built on, as build_image says it; empty where nobody knows")
    arguments.add_argument("--scan", required=True, type=Path, help="the report of scan_image")
    options = arguments.parse_args()
    if not re.fullmatch(r".+@sha256:[0-9a-f]{64}", options.image_uri):
        raise DeploymentError(f"--image-uri: found {options.image_uri!r}: accepted is an image by its digest")
    registry, folder = open_registry(options.model), spec.MODELS / options.model
    try:
        lock = (folder / "requirements.lock").read_text()
        content = bill(options.image_uri, lock, options.base_image, json.loads(options.scan.read_bytes()), project=registry.config.project)
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{folder}: no bill of materials: {error}: correct its lock") from error
    uri = pack.bill_of_materials(registry.artifacts, options.image_uri)
    if not store(registry.s3, uri, content):
        progress(f"{uri} is there already")
    print_report({"uri": uri, "components": len(json.loads(content)["components"])})


if __name__ == "__main__":
    run(main, "bill_of_materials")
