"""Runs `docker run` and removes its container when that client is gone, however it ended: a container is no child of who asked for it.

Run as a file, with the standard library only: `end_with_client.py CONTAINER docker run …`. What watches is in a session of its own, so that
a signal to the client's group leaves it alive; it waits for the other end of a pipe, which the client alone holds, to close.
"""

import os
import subprocess
import sys


def main(container: str, command: list[str]) -> None:
    watched, held = os.pipe()
    if os.fork() == 0:
        os.close(held)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.read(watched, 1)
        subprocess.run([command[0], "rm", "--force", container], check=False)
        os._exit(0)
    os.close(watched)
    os.set_inheritable(held, True)
    os.execvp(command[0], command)  # noqa: S606 - docker, as localcloud found it


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
