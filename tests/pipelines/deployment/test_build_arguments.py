"""What an image's build is handed of a private network: proxies as arguments, an index as a secret, and neither's value in the command."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from config import Builds
from pipelines.deployment import build_arguments
from stacks.build_environment import variables
from tests.reference import MODELS, ROOT

BUILDS = Builds(package_index="https://jo:pw@packages.acme.test/simple", proxy="http://proxy.acme.test:3128")  # pragma: allowlist secret


def test_what_is_told_to_a_build_is_handed_on() -> None:
    words = build_arguments.of(variables(BUILDS))

    handed = {word for flag, word in pairwise(words) if flag == "--build-arg"}
    assert handed == {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
    assert words[-2:] == ["--secret", "id=PIP_INDEX_URL,env=PIP_INDEX_URL"]


def test_no_value_is_in_the_command() -> None:
    assert not any(secret in word for word in build_arguments.of(variables(BUILDS)) for secret in ("pw", "proxy.acme.test"))


def test_nothing_is_handed_on_where_nothing_is_set() -> None:
    assert build_arguments.of({"PATH": "/bin", "HTTP_PROXY": ""}) == []


@pytest.mark.parametrize("models", [MODELS, ROOT / "model_code"], ids=["reference", "fork"])
def test_what_installs_packages_mounts_the_index(models: Path) -> None:
    for dockerfile in models.glob("*/Dockerfile"):
        (installs,) = [line for line in dockerfile.read_text().splitlines() if "--require-hashes" in line]
        assert installs.startswith("RUN --mount=type=secret,id=PIP_INDEX_URL,env=PIP_INDEX_URL pip install "), dockerfile
