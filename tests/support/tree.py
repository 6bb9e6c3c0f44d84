"""A copy of this clone with the reference's configuration and models: what tests run as programs, whatever a fork has made of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cli.config_source import with_statement
from pipelines.deployment.base_image import LOCK
from tests.reference import MODEL, MODELS, ROOT


def clone(folder: Path) -> Path:
    """Copy every file that git would take into `folder`, also from a source that came without its repository, as a pipeline's does."""
    with tempfile.TemporaryDirectory() as empty:
        git = ["git", f"--git-dir={empty}", f"--work-tree={ROOT}"]
        subprocess.run(["git", "init", "-q", "--bare", empty], check=True)
        listed = subprocess.run([*git, "ls-files", "-o", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def reference_tree(folder: Path) -> Path:
    """A clone with the reference's `config.py` and its model, whose base image nobody has pinned, and no feature groups."""
    clone(folder)
    (folder / LOCK).unlink(missing_ok=True)
    configure(folder, (ROOT / "tests/reference.py").read_text())
    for room in ("model_code", "feature_groups"):
        shutil.rmtree(folder / room, ignore_errors=True)
    shutil.copytree(MODELS / MODEL, folder / "model_code" / MODEL, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def python_path(folder: Path) -> str:
    """PYTHONPATH of programs that run in a tree, as `./road` sets it: the tree's own code before what is installed."""
    return os.pathsep.join(map(str, [folder, *sorted(package for package in (folder / "packages").iterdir() if package.is_dir())]))


def configure(folder: Path, source: str) -> None:
    """Give the `config.py` of a tree the statement that makes `CONFIG` in `source`."""
    file = folder / "config.py"
    file.write_text(with_statement(file.read_text(), source))
