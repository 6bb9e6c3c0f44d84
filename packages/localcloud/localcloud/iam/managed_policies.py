"""AWS's own managed policies, for accounts of the partition that localcloud is of: moto reads its megabytes for each partition there is."""

from __future__ import annotations

from typing import Any

from moto.iam.models import IAMBackend, ManagedPolicy

from localcloud.core.cloud import PARTITION


def install() -> None:
    """Leave the other partitions without policies; nobody has accounts there."""
    read: Any = IAMBackend._init_aws_policies

    def policies(self: Any) -> list[ManagedPolicy]:
        return list(read(self)) if self.region_name == PARTITION else []

    IAMBackend._init_aws_policies = policies  # type: ignore[method-assign]
