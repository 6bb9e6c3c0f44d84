"""Libraries that an image has only where its model asks for them: a container of the sample borrows this environment's."""

from __future__ import annotations

import os
from importlib.metadata import distribution
from pathlib import Path

from tests.reference import MODELS, ROOT


def environment(folder: Path, *libraries: str) -> dict[str, str]:
    """The environment of a container that has these of this environment's libraries, linked into `folder`, and nothing else of it."""
    folder.mkdir()
    for library in libraries:
        installed = distribution(library)
        for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            (folder / name).symlink_to(str(installed.locate_file(name)))
    own = {"MODEL_CODE": str(MODELS), "PYTHONPATH": os.pathsep.join([str(ROOT / "packages/runtime"), str(folder)])}
    return {**os.environ, **own}
