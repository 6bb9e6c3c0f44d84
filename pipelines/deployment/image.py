"""The one image that trains, evaluates, serves and monitors a commit.

Its tag is the commit and tags are immutable: an image that is already there is the result, and nothing is built again.
"""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.deployment import build_arguments
from pipelines.deployment.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

# SageMaker rejects image indexes, which is what a build with provenance makes.
BUILD = ("docker", "build", "--platform", "linux/amd64", "--provenance=false", "--output", "type=docker")
log = logging.getLogger(__name__)


def built(ecr: ECRClient, repository: str, tag: str, *, dockerfile: Path) -> str:
    """The image of a tag by its digest, `repository@sha256:…`, built from the current folder where it is not there. `repository` is a URI.

    Raises:
        DeploymentError: Docker failed.
    """
    host, _, name = repository.partition("/")
    digest = existing_digest(ecr, name, tag)
    if digest:
        log.info("%s:%s is there already", name, tag)
    else:
        build_and_push(ecr, host, f"{repository}:{tag}", dockerfile=dockerfile)
        digest = existing_digest(ecr, name, tag)
    if not digest:
        raise DeploymentError(f"{name}:{tag} was pushed, but ECR does not know it: run the step again")
    return f"{repository}@{digest}"


def existing_digest(ecr: ECRClient, repository: str, tag: str) -> str | None:
    """The digest (`sha256:…`) of a tag, or None when the repository has no such tag."""
    try:
        images = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return None
    return images[0]["imageDigest"] if images else None


def build_and_push(ecr: ECRClient, host: str, image: str, *, dockerfile: Path) -> None:
    """Build `image` (`host/name:tag`) from the current folder and push it. Raises DeploymentError."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    _docker("docker", "login", "--username", user, "--password-stdin", host, stdin=password)
    _docker(*BUILD, *build_arguments.of(os.environ), "--file", str(dockerfile), "--tag", image, ".")
    _docker("docker", "push", image)


def _docker(*command: str, stdin: str | None = None) -> None:
    """Run it, its output on stderr."""
    finished = subprocess.run(command, input=stdin, text=True, stdout=sys.stderr, check=False)
    if finished.returncode:
        raise DeploymentError(
            f"`{' '.join(command[:2])}` exited with {finished.returncode}: its last lines are above: correct the Dockerfile or its lock"
        )
