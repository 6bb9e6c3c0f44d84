"""How the tests of cli/ run commands: as a person would, in a process of their own, with a cloud folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipelines.evidence.world import approved as approved
from tests.pipelines.evidence.world import evidence_server as evidence_server
from tests.pipelines.evidence.world import staged as staged

HERE = Path(__file__).parents[2]
Road = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    """Runs `road ARGUMENTS` with no AWS credentials and no localcloud but the test's own, which is stopped at the end."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    own |= {"ROAD_CLOUD": str(tmp_path / "cloud"), "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    own |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull}

    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(command, cwd=HERE, env={**own, **more}, input=stdin, capture_output=True, text=True, timeout=120)

    yield run
    if (tmp_path / "cloud").exists():
        run("down")
