"""A clone that has no model yet still shows the road: a copy of it, with the sample that the runtime is tested with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cli import environments, serving_tables
from cli.output import say
from cli.repository import Clone
from cli.tree import ENVIRONMENT, HERE, relative
from config import CONFIG

COPY = HERE / ".road" / "sample"


def demonstrate(arguments: Sequence[str]) -> NoReturn:
    """Go on as `./road demo` with these arguments, in a copy of this clone that has the sample."""
    sample = environments.sample()
    say(f"model_code has no model yet: the demo takes the sample {sample.name}, in {relative(COPY)}")
    shutil.rmtree(COPY, ignore_errors=True)
    _copy(Clone(HERE), COPY)
    shutil.copytree(sample, COPY / "model_code" / sample.name, ignore=shutil.ignore_patterns("__pycache__"))
    serving_tables.follow(COPY / "model_code", CONFIG)
    copy = Clone(COPY)
    copy.git("init", "--quiet")
    copy.git("reset", "--hard", "--quiet", copy.snapshot())
    road = str(COPY / "road")
    os.chdir(os.environ.get("ROAD_CWD", HERE))
    os.execve(road, [road, "demo", sample.name, *arguments], {**os.environ, "ROAD_ENV": str(ENVIRONMENT)})  # noqa: S606 - no shell is wanted


def _copy(clone: Clone, folder: Path) -> None:
    for name in clone.git("ls-files", "-co", "--exclude-standard", "-z").split("\0"):
        if name and (HERE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(HERE / name, folder / name)
