"""How many processors an instance type has: what SageMaker's CPUUtilization, 100 % for each of them, is measured against."""

from __future__ import annotations

import re

ODD = {"ml.c4.8xlarge": 36}


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
