"""Where the hosts of a job meet before they work together: the first tells each of the others one line.

A library that opens a port of its own may not get the same one twice: a machine keeps a port for a minute that a killed program had. So the
library has whatever port is free, and the first host says here which; here a port can be had again at once.
"""

from __future__ import annotations

import socket
import threading
import time

from paved_runtime.hosts import Hosts

PATIENCE = 600.0  # seconds; a host may still be reading its rows when another is done
PAUSE = 0.2


def told(hosts: Hosts, line: str) -> str:
    """What the first host says: `line`, which is its own there, and is not looked at elsewhere. Returns once all have heard it.

    Raises:
        ConnectionError: a host has not come in time.
    """
    place = address(hosts.names[0]), hosts.port
    try:
        return _tell(place, line, len(hosts) - 1) if hosts.first else _hear(place)
    except TimeoutError as error:
        raise ConnectionError(f"not all of {', '.join(hosts.names)} have met within {PATIENCE:g} seconds: see each one's log") from error


def address(name: str) -> str:
    """The address of a host. Raises ConnectionError where its name is not known."""
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        raise ConnectionError(f"host {name} has no address here ({error}): a job's hosts know each other's names") from error


def _tell(place: tuple[str, int], line: str, others: int) -> str:
    with socket.create_server(place) as door:
        door.settimeout(PATIENCE)
        for _ in range(others):
            with door.accept()[0] as caller:
                caller.sendall(line.encode())
    return line


def _hear(place: tuple[str, int]) -> str:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(place, timeout=PATIENCE) as caller, caller.makefile() as words:
                if line := words.read():
                    return line
        except (ConnectionRefusedError, ConnectionResetError):  # nobody is there yet, or no longer
            pass
        if time.monotonic() > until:
            raise TimeoutError
        threading.Event().wait(PAUSE)
