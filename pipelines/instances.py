"""What an instance type's name says about it: the one fact that both a training job and an endpoint depend on."""

from __future__ import annotations

import re

# Families with disks inside the machine: storage variants (m5d, c6gd, r5dn) and every recent accelerator.
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|g4dn|g[5-9][a-z]*|p4de?|p[5-9][a-z]*|trn\d[a-z]*)\.")


def has_local_storage(instance_type: str) -> bool:
    """Whether the machine brings its own, already encrypted disk: SageMaker refuses a volume key for such a type.

    >>> has_local_storage("ml.m5.large"), has_local_storage("ml.m5d.large")
    (False, True)
    """
    return _LOCAL_STORAGE.match(instance_type) is not None
