"""Where this clone keeps things, and where the person stands who types a command."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parents[1]
ENVIRONMENT = Path(os.environ.get("ROAD_ENV", HERE / ".road" / "env"))
CLOUD = Path(os.environ.get("ROAD_CLOUD", HERE / ".road" / "cloud"))
PACKS = HERE / ".road" / "evidence"
STORY = HERE / ".road" / "story"
BATCHES = HERE / ".road" / "batches"
MONITORED = HERE / ".road" / "monitor"
TRAINED = HERE / ".road" / "train"
DRAFTS = HERE / ".road" / "new-model"
CACHE = ENVIRONMENT.parent  # beside the environment, so that a build of this tree finds what a person's check has made


def relative(path: Path) -> str:
    """`path` as a person in this clone would type it."""
    return str(path.relative_to(HERE)) if path.is_relative_to(HERE) else str(path)


def typed_path(text: str) -> Path:
    """A path as the person's shell means it: `road` goes to the clone, and says in ROAD_CWD where it was typed."""
    folder = Path(os.environ.get("ROAD_CWD", HERE))
    return Path(text) if folder == HERE else folder / text
