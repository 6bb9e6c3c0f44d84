"""What the runtime's neural networks are held to, in their frameworks' environments: large ones, so this is slow. Nothing is skipped."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from cli import environments
from tests.reference import ROOT

FOLDER = "packages/runtime/tests/networks"
LOCKS = ROOT / "packages/runtime/conformance/frameworks"
FILES = {"torch": ("test_torch.py", "test_fit.py", "test_job.py"), "keras": ("test_keras.py",)}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("framework", FILES)
def test_networks_keep_what_is_said_of_them(framework: str) -> None:
    python = str(environments.python(LOCKS / f"{framework}_scoring"))
    paths = [f"{FOLDER}/{name}" for name in FILES[framework]]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "packages/runtime")}
    done = subprocess.run([python, "-m", "pytest", "-q", *paths], cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-5000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) >= len(paths)
    assert "skipped" not in done.stdout
