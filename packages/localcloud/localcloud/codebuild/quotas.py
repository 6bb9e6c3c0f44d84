"""How many builds an account may run at once, by platform and compute type.

A quota has the name that Service Quotas gives it ("AWS CodeBuild endpoints and quotas", General Reference). AWS sets quotas by account and
by region, low for new ones; the default here is localcloud's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.codebuild import compute
from localcloud.core import quotas

PLATFORMS = {"LINUX_CONTAINER": "Linux", "ARM_CONTAINER": "ARM", "LINUX_GPU_CONTAINER": "Linux GPU"}
SIZES = {"SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "XLarge", "2XLARGE": "2XLarge"}
FEW = 3


def name(project: Mapping[str, Any]) -> str:
    """The quota that a project's builds count for."""
    kind = project["environment"].get("type", "LINUX_CONTAINER")
    return _named(PLATFORMS.get(kind, kind), SIZES[compute.kind(project).removeprefix("BUILD_GENERAL1_")])


def names() -> tuple[str, ...]:
    """Every quota."""
    return tuple(_named(platform, size) for platform in PLATFORMS.values() for size in SIZES.values())


def default(_quota: str) -> int:
    """A quota's value where nobody has raised it."""
    return FEW


def value(quota: str) -> int:
    """A quota's value."""
    return quotas.value(quota, default(quota))


def _named(platform: str, size: str) -> str:
    return f"Concurrently running builds for {platform}/{size} environment"
