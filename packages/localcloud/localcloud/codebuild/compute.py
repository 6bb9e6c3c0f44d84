"""What the machine of a build has: its compute type's memory and disk.

CodeBuild User Guide, "Build environment compute modes and types"; API Reference, `ProjectEnvironment`. Where they differ (3 or 4, 7 or 8,
15 or 16), the less is taken. A build that needs more memory is killed by the kernel, of which CodeBuild says the exit code 137 alone;
where the disk is full, writing fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.core.errors import invalid

GIB, GB = 2**30, 10**9
MEMORY = {  # GiB
    "BUILD_GENERAL1_SMALL": 3,
    "BUILD_GENERAL1_MEDIUM": 7,
    "BUILD_GENERAL1_LARGE": 15,
    "BUILD_GENERAL1_XLARGE": 70,
    "BUILD_GENERAL1_2XLARGE": 144,
}
DISK = {  # GB
    "BUILD_GENERAL1_SMALL": 64,
    "BUILD_GENERAL1_MEDIUM": 128,
    "BUILD_GENERAL1_LARGE": 128,
    "BUILD_GENERAL1_XLARGE": 256,
    "BUILD_GENERAL1_2XLARGE": 824,
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a build may hold, in bytes, on a machine of this compute type."""

    kind: str
    memory: int
    disk: int


def check(project: Mapping[str, Any]) -> None:
    """Raise an AWS error for a compute type that is not known here."""
    if kind(project) not in MEMORY:
        raise invalid(f"project {project['name']}: localcloud runs builds of {', '.join(MEMORY)}, not of {kind(project)}")


def kind(project: Mapping[str, Any]) -> str:
    """The project's compute type."""
    return str(project["environment"]["computeType"])


def machine(project: Mapping[str, Any]) -> Machine:
    """What builds of the project run on."""
    return Machine(kind=kind(project), memory=MEMORY[kind(project)] * GIB, disk=DISK[kind(project)] * GB)
