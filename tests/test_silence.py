"""Nothing phones home: in a network where every question is recorded, none is asked that nobody has configured."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference import ROOT
from tests.support.container import python
from tests.support.container_life import HOME
from tests.support.recorded_network import ENTER, Recorded

ASK = (
    "import socket\n"
    "for ask in (lambda: socket.getaddrinfo('telemetry.test', 443), lambda: socket.create_connection(('192.0.2.7', 443), 5)):\n"
    "    try:\n        ask()\n    except OSError:\n        pass\n"
)


DEFINE = (
    "from pipelines.training import definition\n"
    "from tests import reference\n"
    "from tests.support.runs import RUN\n"
    "definition(reference.CONFIG, reference.model(), RUN)\n"
)


def own_network() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*ENTER, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not own_network(), reason="a network of one's own needs Linux and root")


def recorded(tmp_path: Path, *command: str, **variables: str) -> Recorded:
    """What a command asked for."""
    report = tmp_path / "recorded.json"
    network = [*ENTER, sys.executable, "-m", "tests.support.recorded_network", str(report), *command]
    done = subprocess.run(network, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Recorded.read(report)


def test_what_is_asked_for_is_recorded(tmp_path: Path) -> None:
    network = recorded(tmp_path, sys.executable, "-c", ASK)

    assert set(network.asked) == {"telemetry.test"}
    assert network.connected == ["192.0.2.7:443"]


@pytest.mark.slow
def test_a_container_asks_for_nothing_in_all_its_life(tmp_path: Path) -> None:
    python()  # its packages are installed where there is a network
    assert recorded(tmp_path, sys.executable, "-m", "tests.support.container_life", str(tmp_path)) == Recorded()
    assert not (tmp_path / HOME).exists(), "telemetry that is on begins with an identity of the user's"


@pytest.mark.slow
def test_the_sdk_describes_a_pipeline_and_tells_nobody(tmp_path: Path) -> None:
    assert recorded(tmp_path, sys.executable, "-c", DEFINE) == Recorded()
