"""Runs one program and ends it, with everything it started, as soon as its parent ends: as soon as standard input closes.

localcloud holds the other end of that pipe: however localcloud dies, no build, job or endpoint outlives it.
Run as a file, with the standard library only, so that it starts in milliseconds.
"""

import os
import select
import signal
import subprocess
import sys


def main(argv: list[str]) -> int:
    received: list[int] = []
    signal.signal(signal.SIGTERM, lambda how, _: received.append(how))  # before there is a child: it would outlive us
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)

    def end(how: int) -> None:
        try:
            os.killpg(child.pid, how)
        except ProcessLookupError:
            return

    signal.signal(signal.SIGTERM, lambda *_: end(signal.SIGTERM))
    for how in received:
        end(how)
    ended_read, ended_write = os.pipe()
    os.set_blocking(ended_write, False)
    signal.set_wakeup_fd(ended_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while child.poll() is None:
        ready, _, _ = select.select([0, ended_read], [], [])
        if ended_read in ready:
            os.read(ended_read, 4096)
        if 0 in ready and not os.read(0, 4096):
            end(signal.SIGKILL)
            child.wait()
    end(signal.SIGKILL)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
