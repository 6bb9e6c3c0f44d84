"""What a model's training depends on, of all that is in the repository, as one digest.

That is the image: its base, the Dockerfile, and every file that the Dockerfile may copy. Of `model.toml` only what containers read counts:
an endpoint's size and the owner's address train nothing. What is in no image counts for nothing: tests, README.md, docs/.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from paved_runtime.spec import ModelSpec
from pipelines.deployment import build_context
from pipelines.evidence import document

UNREAD: Any = {  # by training and evaluation, by the server and by the monitor
    "owner": True,
    "serving": True,
    "gates": {"load": True},
    "training": {"reuse": True, "keep_alive_minutes": True},
}


def base_of(bill: bytes, project: str) -> str:
    """What an image was built on, as its bill of materials says; empty where that is no image by its digest."""
    said = document.read_json(bill, "the bill of materials")["metadata"]["component"].get("properties", [])
    base = next((each["value"] for each in said if each["name"] == f"{project}:base-image"), "")
    return str(base) if "@sha256:" in base else ""


def sources_sha256(model: ModelSpec, base: str, *, root: Path, models: Path) -> str:
    """The digest, in hex. `base` is what the image was built on, by digest; `models` is the folder of all models, below `root`.

    Raises:
        OSError: a file cannot be read.
    """
    dockerfile = (root / models / model.name / "Dockerfile").read_text(encoding="utf-8")
    listed = [f"base {base}", f"Dockerfile {_sha256(dockerfile.encode())}", f"model.toml {_sha256(_contract(model))}"]
    listed += [f"{path.as_posix()} {_sha256((root / path).read_bytes())}" for path in _copied(model, dockerfile, root, models)]
    return _sha256("\n".join(listed).encode())


def _copied(model: ModelSpec, dockerfile: str, root: Path, models: Path) -> list[Path]:
    """The context without `model.toml`, which is read, and without other models that the Dockerfile does not name."""

    def counts(path: Path) -> bool:
        if not path.is_relative_to(models):
            return True
        of = path.relative_to(models).parts[0]
        return (of == model.name or of in dockerfile) and path != models / model.name / "model.toml"

    return [path for path in build_context.files(root) if counts(path)]


def _contract(model: ModelSpec) -> bytes:
    read: dict[str, Any] = model.model_dump(mode="json", exclude=UNREAD)
    return json.dumps(read, sort_keys=True).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
