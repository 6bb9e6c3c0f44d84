"""A program's end is known only when everything that it printed has been read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from localcloud.core.processes import spawn

pytestmark = pytest.mark.laptop("processes are localcloud's")
TALKATIVE = "for number in range(20_000): print(number)"


def test_every_line_is_read_before_the_end_is_known(tmp_path: Path) -> None:
    lines: list[str] = []
    process = spawn([sys.executable, "-c", TALKATIVE], env=dict(os.environ), cwd=tmp_path, on_line=lines.append)

    assert process.wait() == 0
    assert lines == [str(number) for number in range(20_000)]


def test_what_is_stopped_has_its_say(tmp_path: Path) -> None:
    lines: list[str] = []
    program = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit('asked')); print('here', flush=True); signal.pause()"
    process = spawn([sys.executable, "-c", program], env=dict(os.environ), cwd=tmp_path, on_line=lines.append)
    while not lines:
        assert process.running

    assert process.stop(grace=60) == 1
    assert lines == ["here", "asked"]
