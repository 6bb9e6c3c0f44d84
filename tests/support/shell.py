"""What a shell makes of the variables that a step prints."""

from __future__ import annotations

import subprocess
from pathlib import Path


def variables_of(exports: str, folder: Path, *names: str) -> list[str]:
    """The values of variables once a shell has read `exports`, as a stage does."""
    (folder / "exports.env").write_text(exports)
    words = " ".join(f'"${{{name}}}"' for name in names)
    script = f". ./exports.env; printf '%s\\n' {words}"
    read = subprocess.run(["sh", "-euc", script], cwd=folder, capture_output=True, text=True, check=True)
    return read.stdout.split("\n")[:-1]
