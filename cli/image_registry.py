"""What a registry says of an image: its digest, and what is in it. A registry is asked as Docker would ask it.

The protocol is OCI's (https://specs.opencontainers.org/distribution-spec/); a token is got as the registry's own answer says.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from cli.problem import Problem
from pipelines.deployment.base_image import Reference

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
PLATFORM = {"os": "linux", "architecture": "amd64"}
LOCAL = ("localhost", "127.0.0.1")  # asked without TLS, as Docker does
SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Contents:
    """An image by its digest, and what people ask about it. `bytes` are compressed, as they are pulled."""

    reference: Reference
    created: str
    python: str
    bytes: int


def contents(reference: Reference) -> Contents:
    """What the registry says of an image now.

    Raises:
        Problem: the registry does not answer or refuses, or the image is none for the platform that SageMaker runs.
    """
    registry = _Registry(reference)
    manifest, digest = registry.manifest(reference.digest or reference.tag)
    pinned = Reference(repository=reference.repository, tag=reference.tag, digest=digest)
    if "manifests" in manifest:
        fitting = [each["digest"] for each in manifest["manifests"] if PLATFORM.items() <= each.get("platform", {}).items()]
        if not fitting:
            raise Problem(str(reference), "it is there, but not for linux/amd64, which SageMaker runs", "name another base in config.py")
        manifest, _ = registry.manifest(fitting[0])
    about = registry.blob(manifest["config"]["digest"])
    python = re.findall(r"^PYTHON_VERSION=(.*)$", "\n".join(about.get("config", {}).get("Env") or []), re.MULTILINE)
    return Contents(
        reference=pinned,
        created=about.get("created", ""),
        python=python[0] if python else "",
        bytes=sum(layer["size"] for layer in manifest["layers"]),
    )


class _Registry:
    """One repository of a registry, and the right to read it."""

    def __init__(self, reference: Reference) -> None:
        host, self._reference = reference.registry, reference
        scheme = "http" if host.partition(":")[0] in LOCAL else "https"
        self._home = f"{scheme}://{host}/v2/{reference.repository.removeprefix(f'{host}/')}"
        self._authorization = _of_ecr(reference)

    def manifest(self, name: str) -> tuple[dict[str, Any], str]:
        """A manifest by tag or digest, and its digest, which is that of its bytes."""
        body = self._get(f"{self._home}/manifests/{name}")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if name.startswith("sha256:") and digest != name:
            raise Problem(str(self._reference), f"the registry answered {digest} when {name} was asked for", "do not use it")
        return json.loads(body), digest

    def blob(self, digest: str) -> dict[str, Any]:
        """A configuration."""
        configuration: dict[str, Any] = json.loads(self._get(f"{self._home}/blobs/{digest}"))
        return configuration

    def _get(self, url: str) -> bytes:
        try:
            return self._asked(url)
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or self._authorization or not challenge.lower().startswith("bearer "):
                raise self._problem(f"the registry answered {error.code} {error.reason}") from error
        self._authorization = f"Bearer {self._token(challenge)}"
        try:
            return self._asked(url)
        except urllib.error.HTTPError as error:
            raise self._problem(f"the registry answered {error.code} {error.reason}") from error

    def _asked(self, url: str) -> bytes:
        request = _request(url, Accept=", ".join(MANIFESTS))
        if self._authorization:
            request.add_unredirected_header(
                "Authorization", self._authorization
            )  # a blob lies elsewhere, where the token is nobody's business
        return self._read(request)

    def _token(self, challenge: str) -> str:
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = urllib.parse.urlencode({name: value for name, value in asked.items() if name in ("service", "scope")})
        answer: Mapping[str, str] = json.loads(self._read(_request(f"{asked['realm']}?{query}")))
        return answer.get("token") or answer["access_token"]

    def _read(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - _request looks at the scheme
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise self._problem(f"{request.host} does not answer: {error}") from error

    def _problem(self, why: str) -> Problem:
        return Problem(f"base image {self._reference}", why, "check images.base in config.py, the network and its proxy, or name a mirror")


def _request(url: str, **headers: str) -> urllib.request.Request:
    if not url.startswith(("https://", "http://")):
        raise Problem("base image", f"its registry sends to {url}", "do not use it")
    return urllib.request.Request(url, headers=headers)  # noqa: S310 - see above


def _of_ecr(reference: Reference) -> str:
    """What a private ECR registry wants, of whose credentials the environment has; nothing for other registries."""
    if not reference.private:
        return ""
    ecr = boto3.client("ecr", region_name=reference.private["region"])
    return f"Basic {ecr.get_authorization_token()['authorizationData'][0]['authorizationToken']}"
