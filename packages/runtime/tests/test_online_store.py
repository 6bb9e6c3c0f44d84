"""The store is asked over HTTP, as boto3 does it; one that does not answer is a reason before long, never a request that hangs."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from lookup_model import ACCOUNTS, GROUPS, LOOKUPS, Runtime
from msgspec import to_builtins

from paved_runtime.media_types import RequestError
from paved_runtime.online_store import CONNECT, READ, OnlineStore

FEATURES = json.dumps(to_builtins(GROUPS))
COLUMNS = {group: lookup.columns for group, lookup in LOOKUPS.items()}


@contextmanager
def listening(runtime: Runtime) -> Iterator[str]:
    """Feature Store Runtime at an address of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/BatchGetRecord"
            body = json.dumps(runtime.batch_get_record(**asked)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def store(monkeypatch: pytest.MonkeyPatch, url: str) -> OnlineStore:
    """The store of a container that finds AWS at `url`."""
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "s", "ENDPOINT_URL": url}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    known = OnlineStore.of({"AWS_REGION": "eu-central-1", "FEATURES": FEATURES}, list(LOOKUPS))
    assert known
    return known


def test_records_come_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime()
    runtime.put("c1")
    with listening(runtime) as url:
        records = store(monkeypatch, url).records({"accounts": ["c1", "c2"], "activity": []}, COLUMNS)

    assert records == {"accounts": {"c1": ACCOUNTS}, "activity": {}}


def test_an_address_at_which_nobody_listens_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(RequestError, match=r"^feature group accounts: EndpointConnectionError: try again") as refused:
        store(monkeypatch, url).records({"accounts": ["c1"]}, COLUMNS)

    assert refused.value.status == 503


def test_a_store_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = store(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(RequestError, match=r"^feature group accounts: ReadTimeoutError: try again"):
            asked.records({"accounts": ["c1"]}, COLUMNS)

    assert time.monotonic() - began < 3 * (CONNECT + READ)


def test_without_a_region_a_server_does_not_start() -> None:
    with pytest.raises(ValueError, match=r"^neither AWS_REGION nor AWS_DEFAULT_REGION is set: features cannot be looked up$"):
        OnlineStore.of({"FEATURES": FEATURES}, list(LOOKUPS))
