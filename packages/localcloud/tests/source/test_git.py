"""A push that nobody would see is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud.testing.pipelines import AUTHOR
from localcloud.testing.running import Running

pytestmark = pytest.mark.laptop("localcloud's own git remote")


@pytest.mark.slow
def test_a_push_to_a_cloud_that_is_gone_is_refused(tmp_path: Path) -> None:
    with Running(tmp_path / "cloud") as gone:
        remote = gone.state["remote"]
        kept = tmp_path / "kept.git"
        subprocess.run(["cp", "-r", remote, str(kept)], check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), *AUTHOR, "commit", "-q", "--allow-empty", "-m", "x"], check=True)

    done = subprocess.run(["git", "-C", str(clone), "push", str(kept), "main"], capture_output=True, text=True)

    assert done.returncode != 0
    assert "start it, then push again" in done.stderr
