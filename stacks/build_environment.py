"""How builds reach what they install: the environment variables that pip, uv, npm, git, Docker and the AWS SDKs read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from config import Builds, Config, ManagedNetwork

INDEX = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")
LOCAL = ("localhost", "127.0.0.1", "169.254.169.254", "169.254.170.2")  # the machine itself, and where AWS has credentials for it
SECRET = re.compile(r"[\w/+=.@-]{1,256}", re.ASCII)


def variables(builds: Builds) -> dict[str, str]:
    """Name → value."""
    no_proxy = ",".join((*LOCAL, *builds.no_proxy)) if builds.proxy else None
    proxies = {"HTTP_PROXY": builds.proxy, "HTTPS_PROXY": builds.proxy, "NO_PROXY": no_proxy}
    registries = {**dict.fromkeys(INDEX, builds.package_index), "NPM_CONFIG_REGISTRY": builds.npm_registry}
    every = {**registries, **proxies, **{name.lower(): value for name, value in proxies.items()}}
    return {name: value for name, value in every.items() if value}


def secrets(builds: Builds) -> dict[str, str]:
    """Name → the name of the secret that CodeBuild takes its value from."""
    return dict.fromkeys(INDEX, builds.package_index_secret) if builds.package_index_secret else {}


def problems(config: Config) -> Iterator[str]:
    """What is wrong with `builds` of config.py, a line each."""
    for problem in _builds(config):
        yield f"config.py: builds: {problem}"


def _builds(config: Config) -> Iterator[str]:
    builds = config.builds
    urls: Mapping[str, str | None] = {name: getattr(builds, name) for name in ("package_index", "npm_registry", "proxy")}
    for setting, url in urls.items():
        if url is not None:
            yield from _url(setting, url)
    for host in builds.no_proxy:
        if not re.fullmatch(r"[\w.*:/-]+", host, re.ASCII):
            yield f"no_proxy: found {host!r}; accepted is a host, or how hosts end: .acme.test"
    if builds.package_index_secret is not None:
        yield from _secret(config, builds.package_index_secret)
    for setting, reached in (("package_index", builds.package_index or builds.package_index_secret), ("npm_registry", builds.npm_registry)):
        if isinstance(config.toolchain.network, ManagedNetwork) and not (reached or builds.proxy):
            yield f"{setting}: found none for builds in a managed network, which reach no public one; accepted is one that it reaches"


def _secret(config: Config, name: str) -> Iterator[str]:
    if not SECRET.fullmatch(name):
        yield f"package_index_secret: found {name!r}; accepted is the name of a secret in Secrets Manager"
    if config.builds.package_index:
        yield "package_index_secret: found beside package_index; accepted is one of them"
    if config.pull_requests:
        yield "package_index_secret: found with pull_requests, whose code could read it; accepted is an index without credentials"


def _url(setting: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        port_is_known = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_known = urlsplit(""), False
    if parts.username is not None or parts.password is not None:
        yield f"{setting}: found credentials in it, which everybody who reads config.py would see; accepted is a URL without, or a secret"
    elif parts.scheme not in ("http", "https") or not parts.hostname or not port_is_known or not re.fullmatch(r"[!-~]+", url):
        yield f"{setting}: found {url!r}; accepted is an http or https URL"
