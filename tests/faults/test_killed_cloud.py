"""Killing localcloud in the middle of work leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from localcloud.testing.running import Running
from localcloud.testing.waiting import until


def running_with(marker: str) -> list[int]:
    """Processes whose command line contains `marker`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked
    return found


@pytest.mark.slow
@pytest.mark.fault("killed in mid-work")
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_cloud_leaves_no_process_behind(tmp_path: Path, how: signal.Signals) -> None:
    """A build ignores SIGTERM and starts a program of its own; both are gone soon after localcloud is."""
    marker = f"sleep 4{os.getpid()}{how.value}"
    with Running(tmp_path) as cloud:
        spec = {"version": 0.2, "phases": {"build": {"commands": ["trap '' TERM", f"bash -c '{marker} & wait'"]}}}
        cloud.client("codebuild").create_project(
            name="stubborn",
            source={"type": "NO_SOURCE", "buildspec": json.dumps(spec)},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=cloud.role("stubborn", trusts={"Service": "codebuild.amazonaws.com"}, allows=[{"Action": "s3:*", "Resource": "*"}]),
        )
        cloud.client("codebuild").start_build(projectName="stubborn")
        until(lambda: running_with(marker))

        cloud.process.send_signal(how)

        until(lambda: not running_with(marker))
