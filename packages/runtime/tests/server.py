"""The server: called in this process without a network, and as a process of its own on a free port."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx
from container import environment

from paved_runtime.media_types import JSON
from paved_runtime.serving import ASGI

ONE = "SAGEMAKER_MODEL_SERVER_WORKERS"
PATIENCE = 60  # seconds in which the slowest machine answers, or ends


def call(
    app: ASGI, method: str, path: str, body: bytes = b"", content_type: str | None = JSON, accept: str | Sequence[str] | None = None
) -> httpx.Response:
    """One request through the ASGI application, without a network; `accept` may be several headers."""

    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        wanted = [accept] if isinstance(accept, str) else accept or []
        headers = [("accept", each) for each in wanted] + ([] if content_type is None else [("content-type", content_type)])
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.request(method, path, content=body, headers=headers)

    return asyncio.run(exchange())


class Server:
    """A server process, until the block ends. `client` has its address; `output` and `errors` are there once it has stopped."""

    def __init__(self, root: Path, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "paved_runtime", "serve"],
            env=environment(root, SAGEMAKER_BIND_TO_PORT=str(self.port), PYTHONUNBUFFERED="1", **{ONE: "1"} | variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.first = self.line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """The next line of its standard output, once it is there; nothing where it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def send(self, *parts: bytes, ends: bool) -> bytes:
        """Write raw bytes to a connection of its own and read to the end of what comes back.

        `ends`: close our half first. uvicorn takes that for a client that has gone, and need not answer it.
        """
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer

    def stop(self) -> int:
        """End it as SageMaker does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.output, self.errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode
