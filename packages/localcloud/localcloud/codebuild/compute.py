"""What the machine of a build has: its compute type's memory, in GiB.

CodeBuild User Guide, "Build environment compute modes and types"; API Reference, `ProjectEnvironment`. Where they differ (3 or 4, 7 or 8,
15 or 16), the less is taken. A build that needs more is killed by the kernel, of which CodeBuild says the exit code 137 alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.core.errors import invalid

GIB = 2**30
MEMORY = {
    "BUILD_GENERAL1_SMALL": 3,
    "BUILD_GENERAL1_MEDIUM": 7,
    "BUILD_GENERAL1_LARGE": 15,
    "BUILD_GENERAL1_XLARGE": 70,
    "BUILD_GENERAL1_2XLARGE": 144,
}


def check(project: Mapping[str, Any]) -> None:
    """Raise an AWS error for a compute type that is not known here."""
    if kind(project) not in MEMORY:
        raise invalid(f"project {project['name']}: localcloud runs builds of {', '.join(MEMORY)}, not of {kind(project)}")


def kind(project: Mapping[str, Any]) -> str:
    """The project's compute type."""
    return str(project["environment"]["computeType"])


def memory(project: Mapping[str, Any]) -> int:
    """Bytes that a build of the project may hold."""
    return MEMORY[kind(project)] * GIB
