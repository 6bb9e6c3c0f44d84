"""What a person has set for AWS and for the network does not reach localcloud."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli import sessions

ANSWER = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Account>100000000001</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""


class Handler(BaseHTTPRequestHandler):
    """STS, as far as this test asks it. Keeps who signed."""

    signed: list[str]

    def do_POST(self) -> None:
        self.signed.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"signed": []}))
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def test_nothing_of_it_is_read(server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[default]\nregion = us-west-2\nendpoint_url = http://127.0.0.1:9\nca_bundle = /none\n[broken")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_ACCESS_KEY_ID": "wrong",
        "AWS_SESSION_TOKEN": "wrong",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_CA_BUNDLE": "/none",
        "AWS_RETRY_MODE": "nonsense",
        "AWS_MAX_ATTEMPTS": "nonsense",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }.items():
        monkeypatch.setenv(name, value)

    session = sessions.local(f"http://127.0.0.1:{server.server_port}", key="mine", secret="mine", region="eu-central-1")

    assert session.client("sts").get_caller_identity()["Account"] == "100000000001"
    (signed,) = server.RequestHandlerClass.signed  # type: ignore[attr-defined]
    assert "Credential=mine/" in signed
    assert "/eu-central-1/sts/" in signed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": ".acme.example"}, ".acme.example,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "b,localhost,127.0.0.1,::1"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_programs_reach_this_machine_directly_and_others_as_before(before: dict[str, str], after: str) -> None:
    assert sessions.no_proxy(before) == {"NO_PROXY": after, "no_proxy": after}
