"""Whatever arrives, the server answers 2xx or 4xx with a reason, and lives on."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code import spec
from model_code.conftest import environment
from model_code.runtime import artifact
from model_code.runtime.invocations import CSV, JSON, LIMIT, Invocations
from model_code.runtime.serving import ASGI, application
from model_code.runtime.tests.test_requests import ROW, bodies
from model_code.spec import ModelSpec

REFUSED = {400, 413, 415, 422}


def call(app: ASGI, method: str, path: str, body: bytes = b"", content_type: str | None = JSON) -> httpx.Response:
    """One request through the ASGI application, without a network."""

    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        headers = {"content-type": content_type} if content_type is not None else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.request(method, path, content=body, headers=headers)

    return asyncio.run(exchange())


@pytest.fixture(scope="module")
def app(model_spec: ModelSpec, invocations: Invocations) -> ASGI:
    return application(model_spec, invocations)


@pytest.fixture(scope="module")
def fuzz(app: ASGI) -> Any:
    """Checks that one body is answered as promised."""

    def check(body: bytes, content_type: str) -> None:
        answer = call(app, "POST", "/invocations", body, content_type)
        if answer.status_code == 200:
            scores = [p["score"] for p in answer.json()["predictions"]] if content_type == JSON else [float(s) for s in answer.text.split()]
            assert scores
            assert all(0 <= score <= 1 for score in scores)
        else:
            assert answer.status_code in REFUSED
            assert answer.json()["error"]

    return check


@given(body=bodies.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=60), kind=st.sampled_from([JSON, CSV]))
def test_any_body_is_answered(fuzz: Any, body: bytes, kind: str) -> None:
    fuzz(body, kind)


@given(kind=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30).map(str.strip))
def test_any_content_type_is_answered(app: ASGI, kind: str) -> None:
    answer = call(app, "POST", "/invocations", b"{}", kind.encode("latin-1").decode("ascii", "replace").replace("\ufffd", "?"))

    assert answer.status_code in REFUSED


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ("application/json; charset=latin-1", 415),
        ("application/x-npy", 415),
        ("text/plain", 415),
        (None, 415),
    ],
)
def test_content_types(app: ASGI, kind: str | None, status: int) -> None:
    assert call(app, "POST", "/invocations", json.dumps(ROW).encode(), kind).status_code == status


def test_one_row_scores_the_same_alone_in_a_batch_and_as_csv(app: ASGI) -> None:
    alone = call(app, "POST", "/invocations", json.dumps(ROW).encode()).json()["predictions"][0]["score"]
    batch = call(app, "POST", "/invocations", json.dumps({"instances": [ROW] * 300}).encode()).json()["predictions"]
    line = call(app, "POST", "/invocations", ",".join(map(str, ROW.values())).encode(), CSV)

    assert [p["score"] for p in batch] == pytest.approx([alone] * 300, abs=1e-6)
    assert float(line.text) == pytest.approx(alone, abs=1e-6)
    assert line.headers["content-type"].startswith(CSV)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/models", 404)])
def test_other_routes(app: ASGI, method: str, path: str, status: int) -> None:
    answer = call(app, method, path)

    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_at_the_limit_and_over_it(app: ASGI) -> None:
    padded = json.dumps(ROW).encode()

    assert call(app, "POST", "/invocations", padded.ljust(LIMIT)).status_code == 200
    assert call(app, "POST", "/invocations", padded.ljust(LIMIT + 1)).status_code == 413


def test_the_document_describes_what_is_accepted(app: ASGI, model_spec: ModelSpec) -> None:
    document = call(app, "GET", "/openapi.json").json()
    operation = document["paths"]["/invocations"]["post"]
    _, row = operation["requestBody"]["content"][JSON]["schema"]["oneOf"]

    assert row["required"] == list(model_spec.features)
    assert row["properties"]["age"] == {"type": "integer", "minimum": 18, "maximum": 120}
    assert row["properties"]["loan"] == {"type": "string", "enum": ["no", "yes"]}
    assert set(operation["responses"]) == {"200", "400", "413", "415", "422"}
    assert "/ping" in document["paths"]


class Server:
    """A real server process on a port of its own."""

    def __init__(self, root: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "model_code.runtime", "serve"],
            env=environment(root, SAGEMAKER_BIND_TO_PORT=str(self.port), PYTHONUNBUFFERED="1"),
            cwd=spec.MODELS.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    def send(self, *parts: bytes, ends: bool) -> bytes:
        """Write raw bytes to a connection of its own and read to the end of what comes back.

        `ends`: close our half first. uvicorn takes that for a client that has gone, and need not answer it.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            for part in parts:
                connection.sendall(part)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        _, self.errors = self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    started = Server(trained)
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.errors


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /invocations HTTP/1.1", "host: model", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


KIND = f"content-type: {JSON}"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([post(b"[" * 200_000, KIND, "content-length: 200000")], b" 400 "),
        ([post(b"\xff\xfe", KIND, "content-length: 2")], b" 400 "),
        ([post(b"", KIND, "content-length: 0")], b" 400 "),
        ([post(b"", KIND)], b" 400 "),
        ([post(b"", KIND, "content-length: 10000000"), bytes(10_000_000)], b" 413 "),
        ([post(b"", KIND, "transfer-encoding: chunked"), b"2\r\n{}\r\n", b"0\r\n\r\n"], b" 422 "),
        ([post(b"{}", "content-length: 2")], b" 415 "),
        ([post(b"", KIND, "content-length: minus one")], b" 400 "),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"], b" 400 "),
        ([b"POST /\xff\xff HTTP/1.1\r\nhost: model\r\n\r\n"], None),
        ([post(b"{", KIND, "content-length: 100")], None),
        ([b"POST /invocations HTTP/1.1\r\nhost: model\r\nx: " + b"y" * 200_000 + b"\r\n\r\n"], None),
    ],
)
def test_raw_bytes_never_kill_the_server(server: Server, parts: list[bytes], status: bytes | None) -> None:
    try:
        answer = server.send(*parts, ends=status is None)
    except ConnectionError:  # to hang up on such a client is an answer, too
        answer = b""

    if status is not None:
        assert status in answer.split(b"\r\n")[0]
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert httpx.get(server.url + "/ping").status_code == 200
    assert server.process.poll() is None


def test_the_server_gives_the_golden_answers(server: Server, trained: Path) -> None:
    golden = artifact.read_json(trained / "model" / artifact.GOLDEN)
    for request in golden["requests"]:
        answer = httpx.post(server.url + "/invocations", json=request["body"])
        assert [p["score"] for p in answer.json()["predictions"]] == pytest.approx(request["scores"], abs=golden["tolerance"])
    for bad in golden["bad_requests"]:
        answer = httpx.post(server.url + "/invocations", content=bad["body"], headers={"content-type": bad["content_type"]})
        assert answer.status_code == bad["expect"]


def test_sigterm_lets_a_request_finish(trained: Path) -> None:
    server = Server(trained)
    body = json.dumps(ROW).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(post(body[:10], KIND, f"content-length: {len(body)}"))
        assert httpx.get(server.url + "/ping").status_code == 200  # so the server has the first half by now
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(body[10:])
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert server.stop() == 0


def test_a_taken_port_is_one_line(trained: Path, server: Server) -> None:
    argv = [sys.executable, "-m", "model_code.runtime", "serve"]
    env = environment(trained, SAGEMAKER_BIND_TO_PORT=str(server.port))
    finished = subprocess.run(argv, env=env, cwd=spec.MODELS.parent, capture_output=True, text=True, check=False)
    line = (trained / "output/failure").read_text()

    assert finished.returncode == 1
    assert line.startswith(f"serve: port {server.port} cannot be bound: Address already in use")
    assert line.count("\n") == 1
    assert finished.stderr.endswith(line)
