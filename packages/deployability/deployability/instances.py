"""What an instance type's name says about the machine: its disks, and the processors that CPUUtilization is measured against."""

from __future__ import annotations

import re

# Families with disks inside the machine: storage variants (m5d, c6gd, r5dn) and every recent accelerator.
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|g4dn|g[5-9][a-z]*|p4de?|p[5-9][a-z]*|trn\d[a-z]*)\.")
ODD = {"ml.c4.8xlarge": 36}  # processors


def has_local_storage(instance_type: str) -> bool:
    """Whether the machine brings its own, already encrypted disk: SageMaker refuses a volume key for such a type.

    >>> has_local_storage("ml.m5.large"), has_local_storage("ml.m5d.large")
    (False, True)
    """
    return _LOCAL_STORAGE.match(instance_type) is not None


def processors(instance_type: str) -> int:
    """The number of virtual processors.

    >>> processors("ml.m5.large"), processors("ml.c7i.12xlarge")
    (2, 48)

    Raises:
        ValueError: the name tells no size.
    """
    if instance_type in ODD:
        return ODD[instance_type]
    size = re.search(r"\.(?:(medium)|(large)|(\d*)xlarge)$", instance_type)
    if not size:
        raise ValueError(f"{instance_type}: the size of the instance is not known; accepted are medium, large, xlarge, 2xlarge, …")
    if size[3] is None:
        return 2 if size[2] or instance_type.startswith(("ml.t2.", "ml.t3.")) else 1
    return 4 * int(size[3] or 1)
