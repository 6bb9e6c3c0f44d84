"""Steps as stages run them: programs in a tree with the reference's configuration and models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tree import python_path


def run_step(tree: Path, step: str, *arguments: str, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a step to its end, against the AWS at `url`."""
    command = [sys.executable, "-m", f"pipelines.steps.{step}", *arguments]
    environment = {**os.environ, "AWS_ENDPOINT_URL": url, "PYTHONPATH": python_path(tree), **variables}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of the PATH, with a `cdk` and a `docker` that write down how they were called."""
    for name in ("cdk", "docker"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done >> {tmp_path}/{name}.log\necho "said by {name}"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path
