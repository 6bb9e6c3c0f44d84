"""Models' environments without packages: a `uv` that makes empty ones, whose Python does nothing, and writes down how it was called."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.road import environment

UV = """#!/bin/sh
echo "$@" >> {log}
[ "$1" = venv ] || exit {code}
for home; do :; done
mkdir -p "$home/bin"
printf '#!/bin/sh\\nexit 0\\n' > "$home/bin/python"
chmod +x "$home/bin/python"
"""


def with_fake_uv(tree: Path, folder: Path, *, code: int = 0) -> dict[str, str]:
    """The environment of programs in `tree`, whose caches and `uv` are in `folder`. `code` is with what an installation ends."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin/uv"
    program.write_text(UV.format(log=folder / "uv.log", code=code))
    program.chmod(0o755)
    own = environment(tree, folder / "cloud")
    return {**own, "ROAD_ENV": str(folder / "env"), "PATH": os.pathsep.join([str(folder / "bin"), own["PATH"]])}
