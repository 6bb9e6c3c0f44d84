"""Makes the one image that trains, evaluates and serves a commit, and says its digest.

The tag is the commit and tags are immutable: an image that is already there is the result, and nothing is built again.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from typing import Any

import boto3

from pipelines.steps.step import StepError, parser, progress, run

# SageMaker rejects image indexes, which is what a build with provenance makes.
BUILD = ("docker", "build", "--platform", "linux/amd64", "--provenance=false", "--output", "type=docker")


def existing_digest(ecr: Any, repository: str, tag: str) -> str | None:
    """The digest (`sha256:…`) of a tag, or None when the repository has no such tag."""
    try:
        images = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return None
    return str(images[0]["imageDigest"]) if images else None


def build_and_push(ecr: Any, *, dockerfile: str, image: str) -> None:
    """Build `image` (`host/name:tag`) from the current folder and push it."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    _docker("docker", "login", "--username", user, "--password-stdin", image.partition("/")[0], given=password)
    _docker(*BUILD, "--file", dockerfile, "--tag", image, ".")
    _docker("docker", "push", image)


def _docker(*command: str, given: str | None = None) -> None:
    finished = subprocess.run(command, input=given, text=True, stdout=sys.stderr, check=False)
    if finished.returncode:
        raise StepError(
            f"`{' '.join(command[:2])}` exited with {finished.returncode}: its last lines are above: correct the Dockerfile or its lock"
        )


def main() -> None:
    """Print `repository@sha256:…` for one commit of one model."""
    arguments = parser(__doc__)
    for flag in ("--model", "--commit", "--repository"):
        arguments.add_argument(flag, required=True)
    given = arguments.parse_args()
    named = re.fullmatch(r"\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.[a-z0-9.-]+/(.+)", given.repository)
    if not named:
        raise StepError(f"--repository: found {given.repository!r}: accepted is an ECR repository's URI")
    region, repository = named.groups()
    ecr = boto3.client("ecr", region_name=region)
    digest = existing_digest(ecr, repository, given.commit)
    if digest:
        progress(f"{repository}:{given.commit} is there already")
    else:
        build_and_push(ecr, dockerfile=f"model_code/{given.model}/Dockerfile", image=f"{given.repository}:{given.commit}")
        digest = existing_digest(ecr, repository, given.commit)
    if not digest:
        raise StepError(f"{repository}:{given.commit} was pushed, but ECR does not know it: run the step again")
    print(f"{given.repository}@{digest}")


if __name__ == "__main__":
    run(main, "build_image")
