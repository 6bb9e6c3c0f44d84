"""The hosts of a job meet: all hear what the first says, whoever comes first, and again at once when the first begins anew."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from paved_runtime import meeting
from paved_runtime.hosts import Hosts

NAMES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1]])
def test_all_hear_what_the_first_says_and_can_meet_again(port: int, order: tuple[str, ...]) -> None:
    for line in ("12345", "54321"):
        with ThreadPoolExecutor(len(order)) as pool:
            parts = [pool.submit(meeting.told, Hosts(names=NAMES, own=own, port=port), line if own == NAMES[0] else "") for own in order]
            assert [part.result(60) for part in parts] == [line] * 3


def test_a_name_that_nobody_knows_is_named() -> None:
    with pytest.raises(ConnectionError, match=r"host algo-1\.invalid has no address here"):
        meeting.address("algo-1.invalid")
