"""`docker image inspect`, as far as builds ask."""

from __future__ import annotations

import json
from pathlib import Path

from localcloud.ecr.docker import Refused, base, registry

DIGEST, LABELS = FORMATS = ("{{index .RepoDigests 0}}", "{{json .Config.Labels}}")


def inspect(name: str, form: str, store: Path) -> str:
    """What is known of an image: a base by the digest of what stands in for it, or an image that was built here, by its digest in ECR."""
    if form == LABELS:
        return json.dumps(json.loads(registry.configuration(name, store))["labels"])
    python = base.version(name)
    if python is None:
        raise Refused(f"no such image: {name}")
    return f"{name.partition('@')[0].rpartition(':')[0] or name}@{base.digest(python)}"
