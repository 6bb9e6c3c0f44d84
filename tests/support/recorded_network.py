"""A program in a network of its own, in which nobody answers and everything that is asked for is written down.

    unshare --net --mount python -m tests.support.recorded_network REPORT COMMAND...

Every address leads to this machine: names are asked of a server that records the question and knows none, and connections to the ports of
the web and of name servers are recorded and closed. The command's exit code is the program's.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

DNS, PORTS = 53, (53, 80, 443)
NO_SUCH_NAME = 3
ENTER = ("unshare", "--net", "--mount")


@dataclass(frozen=True)
class Recorded:
    """Names that were asked for, and `address:port` of connections to elsewhere."""

    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, report: Path) -> Recorded:
        return cls(**json.loads(report.read_text()))


def main(report: Path, command: list[str]) -> int:
    for setup in ("ip link set lo up", "ip route add local 0.0.0.0/0 dev lo"):
        subprocess.run(setup.split(), check=True)
    with tempfile.NamedTemporaryFile("w") as resolver:
        resolver.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        resolver.flush()
        subprocess.run(["mount", "--bind", resolver.name, "/etc/resolv.conf"], check=True)
        with recording() as recorded:
            code = subprocess.run(command, check=False).returncode
    report.write_text(json.dumps(asdict(recorded)))
    return code


@contextmanager
def recording() -> Iterator[Recorded]:
    """Record until the block ends."""
    recorded, (stop, stopped) = Recorded(), socket.socketpair()
    with selectors.DefaultSelector() as ready, socket.socket(type=socket.SOCK_DGRAM) as names, stop, stopped:
        names.bind(("0.0.0.0", DNS))  # noqa: S104 - every address is this machine's
        listeners = [socket.create_server(("0.0.0.0", port)) for port in PORTS]  # noqa: S104 - likewise
        for each in (names, stopped, *listeners):
            ready.register(each, selectors.EVENT_READ)
        thread = threading.Thread(target=_record, args=(ready, names, stopped, recorded))
        thread.start()
        try:
            yield recorded
        finally:
            stop.send(b"\0")
            thread.join()
            for listener in listeners:
                listener.close()


def _record(ready: selectors.BaseSelector, names: socket.socket, stopped: socket.socket, recorded: Recorded) -> None:
    while True:
        for key, _ in ready.select():
            if key.fileobj is stopped:
                return
            if key.fileobj is names:
                question, sender = names.recvfrom(4096)
                recorded.asked.append(name_of(question))
                names.sendto(refusal(question), sender)
            else:
                assert isinstance(key.fileobj, socket.socket)
                connection, _ = key.fileobj.accept()
                recorded.connected.append(":".join(map(str, connection.getsockname())))
                connection.close()


def name_of(question: bytes) -> str:
    """The name that a question of RFC 1035 asks for."""
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


def refusal(question: bytes) -> bytes:
    """The answer that there is no such name."""
    return question[:2] + bytes([0x81, 0x80 | NO_SUCH_NAME]) + question[4:6] + bytes(6) + question[12 : question.index(b"\0", 12) + 5]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
