"""How an image is built where registries or the network are the firm's own: what Docker hands on of this build's environment."""

from __future__ import annotations

from collections.abc import Mapping

# Docker knows them without an ARG, and keeps them out of the image and its history (Dockerfile reference, "Predefined ARGs").
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
INDEX = "PIP_INDEX_URL"


def of(environment: Mapping[str, str]) -> list[str]:
    """Words of `docker build`. Values come out of the environment, so that none is seen in a process's arguments.

    The index may have credentials in it: as a secret it reaches the command that mounts it, and no layer (Docker's guide, "Build secrets").
    """
    proxies = [word for name in PROXIES if environment.get(name) for word in ("--build-arg", name)]
    return [*proxies, *(["--secret", f"id={INDEX},env={INDEX}"] if environment.get(INDEX) else [])]
