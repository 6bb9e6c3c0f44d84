"""Where this clone keeps things."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent.parent
ENVIRONMENT = Path(os.environ.get("ROAD_ENV", HERE / ".road" / "env"))
CLOUD = Path(os.environ.get("ROAD_CLOUD", HERE / ".road" / "cloud"))
PACKS = HERE / ".road" / "evidence"
STORY = HERE / ".road" / "story"
MONITORED = HERE / ".road" / "monitor"
CACHE = ENVIRONMENT.parent  # beside the environment, so that a build of this tree finds what a person's check has made


def relative(path: Path) -> str:
    """`path` as a person in this clone would type it."""
    return str(path.relative_to(HERE)) if path.is_relative_to(HERE) else str(path)
