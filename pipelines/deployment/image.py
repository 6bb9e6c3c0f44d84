"""The one image that trains, evaluates, serves and monitors a commit.

Its tag is the commit and tags are immutable: an image that is already there is the result, and nothing is built again. It is built on a
base known by digest, and its labels say on which one: what is asked of an image itself holds for one that another build has pushed, too.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config import Repository
from pipelines.deployment import base_image, build_arguments
from pipelines.deployment.base_image import Reference
from pipelines.deployment.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

PLATFORM = ("--platform", "linux/amd64")
# SageMaker rejects image indexes, which is what a build with provenance makes.
BUILD = ("docker", "build", *PLATFORM, "--provenance=false", "--output", "type=docker")
OCI = "org.opencontainers.image"  # https://specs.opencontainers.org/image-spec/annotations/
HOSTS = {"GitHub": "github.com", "GitLab": "gitlab.com", "Bitbucket": "bitbucket.org"}
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an image is made of: a Dockerfile in the current folder, on the base that `config.py` names, for a commit and its date."""

    dockerfile: Path
    base: Reference
    repository: Repository
    commit: str
    created: str

    def labels(self, base: Reference) -> dict[str, str]:
        """What the image says of itself, in OCI's words. The date is the commit's, so that the same commit says the same."""
        host = HOSTS.get(self.repository.provider)
        said = {
            "revision": self.commit,
            "created": self.created,
            "source": f"https://{host}/{self.repository.id}" if host else self.repository.id,
            "base.name": base.name,
            "base.digest": base.digest,
        }
        return {f"{OCI}.{name}": value for name, value in said.items() if value}


@dataclass(frozen=True, kw_only=True)
class Image:
    """`uri` is `repository@sha256:…`; `base` is what it was built on, or None where an image does not say so."""

    uri: str
    base: Reference | None


def built(ecr: ECRClient, repository: str, source: Source) -> Image:
    """The image of a commit, built from the current folder where it is not there. `repository` is a URI.

    Raises:
        DeploymentError: Docker failed, or the Dockerfile is built on something that is not pinned.
    """
    host, _, name = repository.partition("/")
    digest = existing_digest(ecr, name, source.commit)
    if digest:
        log.info("%s:%s is there already", name, source.commit)
        uri = f"{repository}@{digest}"
        return Image(uri=uri, base=_base_of(ecr, host, uri))
    base = build_and_push(ecr, host, f"{repository}:{source.commit}", source)
    digest = existing_digest(ecr, name, source.commit)
    if not digest:
        raise DeploymentError(f"{name}:{source.commit} was pushed, but ECR does not know it: run the step again")
    return Image(uri=f"{repository}@{digest}", base=base)


def existing_digest(ecr: ECRClient, repository: str, tag: str) -> str | None:
    """The digest (`sha256:…`) of a tag, or None when the repository has no such tag."""
    try:
        images = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        return None
    return images[0]["imageDigest"] if images else None


def build_and_push(ecr: ECRClient, host: str, image: str, source: Source) -> Reference:
    """Build `image` (`host/name:tag`) from the current folder and push it; on which base, by digest. Raises DeploymentError."""
    try:
        own = base_image.own(source.dockerfile.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{source.dockerfile}: {error}: correct the Dockerfile") from error
    _log_in(ecr, host, *([(own or source.base).registry] if (own or source.base).private else []))
    base = own or _resolved(source.base)
    argument = () if own else ("--build-arg", f"{base_image.ARGUMENT}={base}")
    labels = [word for name, value in source.labels(base).items() for word in ("--label", f"{name}={value}")]
    _docker(*BUILD, *build_arguments.of(os.environ), "--file", str(source.dockerfile), *argument, *labels, "--tag", image, ".")
    _docker("docker", "push", image)
    return base


def _resolved(base: Reference) -> Reference:
    """The base by digest: the one that is pinned, or else the one that its tag names at this moment."""
    if base.digest:
        return base
    log.warning("%s is not pinned: ./road base --renew pins it; this image is built on what the tag names now", base)
    _docker("docker", "pull", "--quiet", *PLATFORM, str(base))
    digest = _inspected(str(base), "{{index .RepoDigests 0}}").rpartition("@")[2]
    try:
        return Reference.parse(f"{base}@{digest}")
    except ValueError as error:
        raise DeploymentError(f"{base}: Docker says no digest of it, but {digest!r}: pin it: ./road base --renew") from error


def _base_of(ecr: ECRClient, host: str, uri: str) -> Reference | None:
    """What an image that was pushed before says that it was built on."""
    _log_in(ecr, host)
    _docker("docker", "pull", "--quiet", *PLATFORM, uri)
    labels: Mapping[str, str] = json.loads(_inspected(uri, "{{json .Config.Labels}}")) or {}
    name, digest = (labels.get(f"{OCI}.base.{part}", "") for part in ("name", "digest"))
    return Reference.parse(f"{name}@{digest}") if name and digest else None


def _log_in(ecr: ECRClient, *hosts: str) -> None:
    """ECR's token is good for every registry that its owner may read."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    for host in dict.fromkeys(hosts):
        _docker("docker", "login", "--username", user, "--password-stdin", host, stdin=password)


def _docker(*command: str, stdin: str | None = None) -> None:
    """Run it, its output on stderr."""
    finished = subprocess.run(command, input=stdin, text=True, stdout=sys.stderr, check=False)
    _succeeded(command, finished.returncode)


def _inspected(image: str, template: str) -> str:
    """What Docker knows of an image that is here."""
    command = ("docker", "image", "inspect", "--format", template, image)
    finished = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False)
    _succeeded(command, finished.returncode)
    return finished.stdout.strip()


def _succeeded(command: tuple[str, ...], code: int) -> None:
    if code:
        raise DeploymentError(f"`{' '.join(command[:2])}` exited with {code}: its last lines are above: correct the Dockerfile or its lock")
