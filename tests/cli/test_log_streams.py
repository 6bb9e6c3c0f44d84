"""Logs in order, read on from where the last look ended."""

from __future__ import annotations

import time

from cli.log_streams import Stream
from tests.support.moto_server import Clients


def test_a_log_is_read_on_from_where_the_last_look_ended(client: Clients) -> None:
    logs = client("logs")
    stream = Stream("Train/Train", "jobs", "job-1")
    assert list(stream.lines(logs)) == []
    logs.create_log_group(logGroupName="jobs")
    logs.create_log_stream(logGroupName="jobs", logStreamName="job-1/algo-1")
    now = int(time.time() * 1000)

    def write(*lines: str) -> None:
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName="jobs", logStreamName="job-1/algo-1", logEvents=events)

    write("first", "second")
    assert list(stream.lines(logs)) == ["first", "second"]
    assert list(stream.lines(logs)) == []
    write("third")
    assert list(stream.lines(logs)) == ["third"]
