"""A job that is stopped ends at once, even as its container's first process, and says that it was stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from container import environment

SECONDS = 5  # of SageMaker's 120; a stop takes a tenth of one where the machine has nothing else to do
FIRST_PROCESS = ("unshare", "--pid", "--fork", "--kill-child")


def unshares() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*FIRST_PROCESS, "true"], capture_output=True, check=False).returncode == 0


AS_PID_1 = pytest.param(FIRST_PROCESS, id="as the first process", marks=pytest.mark.skipif(not unshares(), reason="needs a PID namespace"))


def program_of(process: subprocess.Popen[str], wrapped: bool) -> int:
    """The PID of the job itself, as seen from here."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if wrapped else process.pid


@pytest.mark.parametrize("wrapper", [pytest.param((), id="as any process"), AS_PID_1])
@pytest.mark.parametrize(("folder", "file"), [("input", "failure"), ("processing", "message")])
def test_a_stopped_job_ends_at_once_and_says_so(tmp_path: Path, wrapper: Sequence[str], folder: str, file: str) -> None:
    """Its data set is a pipe that nobody writes to: it waits within the system's own call."""
    data = tmp_path / ("processing/input/data" if folder == "processing" else "input/data/data")
    data.mkdir(parents=True)
    os.mkfifo(data / "data.csv")
    command = [*wrapper, sys.executable, "-m", "paved_runtime", "prepare"]
    with subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        beginning = os.open(data / "data.csv", os.O_WRONLY)  # opens once the job reads
        began = time.monotonic()
        os.kill(program_of(process, bool(wrapper)), signal.SIGTERM)
        code = process.wait(SECONDS * 4)
        took = time.monotonic() - began
        os.close(beginning)

    assert (tmp_path / "output" / file).read_text() == "prepare: stopped by SIGTERM before it was done\n"
    assert code == 143
    assert took < SECONDS


def test_a_child_of_a_job_can_be_ended_as_any_process(tmp_path: Path) -> None:
    """And its end is not the job's."""
    program = (
        "import multiprocessing, sys, time\n"
        "from paved_runtime import stop\n"
        "stop.on_stop(lambda: print('reported', flush=True))\n"
        "child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))\n"
        "child.start()\nchild.terminate()\nchild.join()\nprint(child.exitcode)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "-15\n"), done.stderr
