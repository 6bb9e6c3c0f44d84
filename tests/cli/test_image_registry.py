"""What a registry says of a base image, and how it is pinned; the registry is one of the test's own, asked over HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli import image_registry
from cli.base_images import check, renew
from cli.problem import Problem
from config import Images
from pipelines.deployment.base_image import LOCK, Reference
from tests.support.road import Road

BASE = "mirror.acme.test/python:3.11-slim"


class Registry(ThreadingHTTPServer):
    """Manifests and blobs of `library/python`, for whoever has its token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.documents: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.server_port}/library/python:3.11-slim"

    def put(self, kind: str, content: Any, *names: str) -> str:
        """Keep a document under its digest and under names; its digest."""
        body = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for name in (digest, *names):
            self.documents[f"/v2/library/python/{kind}/{name}"] = body
        return digest

    def publish(self, python: str, *, architecture: str = "amd64") -> str:
        """Let the tag name an index with an image for one architecture; the index's digest."""
        about = {"created": f"2026-11-0{python[-1]}T00:00:00Z", "config": {"Env": ["PATH=/bin", f"PYTHON_VERSION={python}"]}}
        layers = [{"size": 30_000_000}, {"size": 12_000_000}]
        image = self.put("manifests", {"config": {"digest": self.put("blobs", about)}, "layers": layers})
        fitting = {"digest": image, "platform": {"os": "linux", "architecture": architecture, "variant": "v8"}}
        other = {"digest": "sha256:0", "platform": {"os": "linux", "architecture": "s390x"}}
        return self.put("manifests", {"mediaType": image_registry.MANIFESTS[0], "manifests": [other, fitting]}, "3.11-slim")


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/token?"):
            self.answer(200, b'{"token": "a-token"}')
        elif self.headers.get("Authorization") != "Bearer a-token":
            realm = f"http://127.0.0.1:{self.server.server_port}/token"
            self.answer(401, b"", f'Bearer realm="{realm}",service="127.0.0.1",scope="repository:library/python:pull"')
        elif (body := self.server.documents.get(self.path)) is not None:
            self.answer(200, body)
        else:
            self.answer(404, b"{}")

    def answer(self, code: int, body: bytes, challenge: str = "") -> None:
        self.send_response(code)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The test's output is not the registry's."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_tag_is_resolved_to_its_digest_with_a_token_for_anybody(registry: Registry) -> None:
    digest = registry.publish("3.11.9")
    contents = image_registry.contents(Reference.parse(registry.image))

    assert str(contents.reference) == f"{registry.image}@{digest}"
    assert (contents.created, contents.python, contents.bytes) == ("2026-11-09T00:00:00Z", "3.11.9", 42_000_000)
    assert [path for path in registry.asked if "token" in path] == ["/token?service=127.0.0.1&scope=repository%3Alibrary%2Fpython%3Apull"]


def test_renewing_pins_and_shows_what_changes(registry: Registry, tmp_path: Path) -> None:
    first, lock = registry.publish("3.11.8"), tmp_path / LOCK
    assert renew(registry.image, lock).changed
    assert lock.read_text() == f"{registry.image}@{first}\n"
    second = registry.publish("3.11.9")
    changes = renew(registry.image, lock).changes()

    assert lock.read_text() == f"{registry.image}@{second}\n"
    assert changes == {
        "base": f"{registry.image}@{first} → {registry.image}@{second}",
        "created": "2026-11-08T00:00:00Z → 2026-11-09T00:00:00Z",
        "Python": "3.11.8 → 3.11.9",
        "compressed": "42.0 MB",
    }
    assert not renew(registry.image, lock).changed


def test_what_was_pinned_may_be_gone_from_a_mirror(registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / LOCK).write_text(f"{registry.image}@sha256:{'a' * 64}\n")
    digest = registry.publish("3.11.9")

    assert renew(registry.image, tmp_path / LOCK).new.reference.digest == digest
    assert "can no longer be looked at" in capsys.readouterr().err


def test_the_check_finds_what_cannot_be_relied_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs, lock = tmp_path / "Dockerfile", tmp_path / "Theirs", tmp_path / LOCK
    ours.write_text("ARG BASE\nFROM ${BASE}\n")
    theirs.write_text("FROM mirror.acme.test/python:3.11\n")

    assert check(BASE, lock, [ours]) == []
    assert f"{BASE} is not pinned" in capsys.readouterr().err
    assert "comes from Docker Hub" in check("python:3.11", lock, [])[0]
    assert "mirror.acme.test/python:3.11 has no digest" in check(BASE, lock, [ours, theirs])[0]
    lock.write_text(f"{BASE}@sha256:{'a' * 64}\n")
    capsys.readouterr()
    assert check(BASE, lock, [ours]) == []
    assert "is not pinned" not in capsys.readouterr().err
    assert "./road base --renew" in check(BASE.replace("3.11", "3.12"), lock, [])[0]


def test_the_command_prints_what_a_build_takes(road: Road) -> None:
    ran = road("base")

    assert ran.stdout == f"{Images().base}\n"
    assert "is not pinned" in ran.stderr


@pytest.mark.parametrize(
    ("architecture", "tag", "why"), [("arm64", "3.11-slim", "not for linux/amd64"), ("amd64", "3.12-slim", "answered 404")]
)
def test_an_image_that_cannot_be_built_on(registry: Registry, architecture: str, tag: str, why: str) -> None:
    registry.publish("3.11.9", architecture=architecture)

    with pytest.raises(Problem, match=why):
        image_registry.contents(Reference.parse(registry.image.replace("3.11-slim", tag)))


def test_a_registry_that_answers_with_another_image_is_not_believed(registry: Registry) -> None:
    digest = registry.publish("3.11.9")
    registry.documents[f"/v2/library/python/manifests/{digest}"] = b'{"layers": []}'

    with pytest.raises(Problem, match="do not use it"):
        image_registry.contents(Reference.parse(f"{registry.image}@{digest}"))


def test_a_registry_that_does_not_answer(registry: Registry) -> None:
    registry.server_close()

    with pytest.raises(Problem, match="does not answer"):
        image_registry.contents(Reference.parse(registry.image))
