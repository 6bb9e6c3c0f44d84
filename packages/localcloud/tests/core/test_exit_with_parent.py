"""However a localcloud dies, no endpoint and no job of it lives on."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.testing.waiting import PATIENCE

pytestmark = pytest.mark.laptop("it is localcloud's own processes that end")
PROGRAM = Path(__file__).with_name("hanging_cloud.py")


def processes_of(folder: Path) -> set[int]:
    """Processes that run a program of an image kept in `folder`."""
    pids = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                pids.add(int(entry.name))
        except FileNotFoundError:
            continue  # it ended while we looked
    return pids


@pytest.mark.slow
def test_no_process_is_left_after_sigkill(tmp_path: Path) -> None:
    root = tmp_path / "cloud"
    root.mkdir()
    paths = [*sys.path, os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    cloud = subprocess.Popen([sys.executable, str(PROGRAM), str(root)], stdout=subprocess.PIPE, text=True, env=env)
    assert cloud.stdout is not None
    serving = int(cloud.stdout.readline())
    watched = {pid: os.pidfd_open(pid) for pid in processes_of(root / "images")}
    assert serving in watched
    assert len(watched) >= 2
    cloud.send_signal(signal.SIGKILL)
    cloud.wait()

    for pid, handle in watched.items():
        with os.fdopen(handle) as ended:
            assert ready(ended.fileno()), f"process {pid} lives on"


def ready(handle: int) -> bool:
    """Whether the process behind a pidfd ends before patience does."""
    return bool(select.select([handle], [], [], PATIENCE)[0])
