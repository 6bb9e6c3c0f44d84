"""What an instance type's name says about the machine: its disks, and the processors and GPUs that its metrics are measured against."""

from __future__ import annotations

import re

# Families with disks inside the machine: storage variants (m5d, c6gd, r5dn) and every recent accelerator.
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|g4dn|gr?[5-9][a-z]*|p4de?|p[5-9][a-z]*(-[a-z]+\d+)?|trn\d[a-z]*)\.")
_GPUS = re.compile(r"ml\.(gr?\d|p\d)")
# How many of them a size has, by family (EC2 User Guide, "Accelerated computing instances"); g7 is too new for that page.
_G5 = {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 1, "12xlarge": 4, "24xlarge": 4, "48xlarge": 8}
_COUNTS = {
    "p2": {"xlarge": 1, "8xlarge": 8, "16xlarge": 16},
    "p3": {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8},
    "p3dn": {"24xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"4xlarge": 1, "48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
    "p6-b200": {"48xlarge": 8},
    "p6-b300": {"48xlarge": 8},
    "p6e-gb200": {"36xlarge": 4},
    "g4dn": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 1, "12xlarge": 4},
    "g5": _G5,
    "g6": _G5,
    "g6e": _G5,
    "g7e": {"2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 2, "24xlarge": 4, "48xlarge": 8},
}
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


def gpus(instance_type: str) -> int:
    """The number of GPUs; 0 where there is none.

    >>> gpus("ml.m5.large"), gpus("ml.g5.xlarge"), gpus("ml.g5.12xlarge")
    (0, 1, 4)

    Raises:
        ValueError: it has some, and nobody has written down how many.
    """
    if not _GPUS.match(instance_type):
        return 0
    _, family, size = instance_type.split(".")
    if size not in _COUNTS.get(family, {}):
        raise ValueError(
            f"{instance_type}: how many GPUs it has is not known: write it down in deployability/instances.py, or take another"
        )
    return _COUNTS[family][size]
