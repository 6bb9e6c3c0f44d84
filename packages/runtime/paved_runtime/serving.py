"""The server: FastAPI for its documentation and health, and /invocations underneath as a plain ASGI route, which costs a tenth.

The socket opens after the model is loaded and has given its golden answers again, so /ping never says yes too early.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from paved_runtime import __version__, artifact, golden, openapi, plugin
from paved_runtime.artifact import ArtifactError
from paved_runtime.invocations import Invocations, Reply, refusal
from paved_runtime.job import Job
from paved_runtime.line_by_line import LineByLine
from paved_runtime.online_store import AT_ONCE, OnlineStore
from paved_runtime.score_log import ScoreLog
from paved_runtime.spec import ModelSpec
from paved_runtime.workers import Lines, Reporter, Workers, cores

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Message, Receive, Send], Awaitable[None]]

LARGE = 64 * 1024  # bodies above this, and those that ask for reasons, are answered in a thread: /ping and single rows need not wait
EXPLAIN = b'"explain"'
KEEP_ALIVE = 75  # seconds that an idle connection stays open: longer than the proxies in front of a server keep theirs, 60 as a rule
PATIENCE = 25  # seconds that requests in flight get after SIGTERM; SageMaker kills after 30


def serve(job: Job) -> None:
    """Serve until SIGTERM, on 0.0.0.0 and the job's port.

    Raises:
        ArtifactError: the model folder holds something else than a complete model, or another one than it was deployed to serve, or the
            model answers differently than in evaluation.
        ValueError: FEATURES does not say where the model's features are looked up.
        OSError: the port is taken.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing to tidy up yet, and SystemExit may get lost in a callback
    invocations = load(job)
    log = ScoreLog(invocations.version, seconds=job.score_log_seconds)
    try:
        listener = socket.create_server(("0.0.0.0", job.port), backlog=2048)  # noqa: S104 - SageMaker connects from outside the container
    except OSError as error:
        raise OSError(f"port {job.port} cannot be bound: {error.strerror}: set SAGEMAKER_BIND_TO_PORT to a free one") from error
    workers = job.workers or cores()
    print(f"serving {job.spec.name} on port {job.port}", flush=True)
    if workers == 1:
        _answer(_application(job, invocations, log), listener)
        return

    def work(lines: Lines) -> None:
        _replay(job, invocations)  # no library promises that what it has loaded outlives a fork: here is the proof
        _answer(_application(job, invocations, Reporter(lines, seconds=job.score_log_seconds)), listener)

    Workers(workers, work, log, patience=PATIENCE + 2).run()


def _answer(app: ASGI, listener: socket.socket) -> None:
    """Answer what comes, until SIGTERM."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=PATIENCE,
    )
    uvicorn.Server(config).run(sockets=[listener])


def load(job: Job) -> Invocations:
    """The job's model, checked. A transform job's rows are complete: it looks up nothing.

    Raises:
        ArtifactError: as `serve` says.
        ValueError: FEATURES does not say where the model's features are looked up.
    """
    artifact.check(job.model, job.spec, plugin.features(job.spec.name).NAMES)
    store = None if job.batch else OnlineStore.of(job.environ, list(job.spec.features))
    invocations = Invocations.load(job.spec, job.model, store)
    if job.model_sha256 and invocations.sha256 != job.model_sha256:
        raise ArtifactError(
            f"the model has sha256 {invocations.sha256}, this endpoint was deployed to serve {job.model_sha256}: it was swapped on the way:"
            " find out by whom, and deploy again"
        )
    _replay(job, invocations)
    if job.request_mb:
        invocations.limit = job.request_mb * 2**20
    return invocations


def _replay(job: Job, invocations: Invocations) -> None:
    golden.replay(artifact.read_json(job.model / artifact.GOLDEN), invocations)


def _application(job: Job, invocations: Invocations, log: ScoreLog | Reporter) -> ASGI:
    return application(job.spec, invocations, log, LineByLine(invocations, job.payload) if job.batch else None)


def application(spec: ModelSpec, invocations: Invocations, log: ScoreLog | Reporter, batch: LineByLine | None = None) -> ASGI:
    """The ASGI application: /invocations goes to the model, in a transform job by way of `batch`, everything else to FastAPI."""
    outside, inside = _outside(spec, invocations, log), _inside(batch or invocations, log, waits=invocations.looks_up)

    async def dispatch(scope: Message, receive: Receive, send: Send) -> None:
        await (inside if scope.get("path") == "/invocations" and scope["type"] == "http" else outside)(scope, receive, send)

    return dispatch


def _outside(spec: ModelSpec, invocations: Invocations, log: ScoreLog | Reporter) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        regularly = asyncio.create_task(log.flush_regularly())
        yield
        regularly.cancel()
        log.flush()

    api = FastAPI(
        title=spec.slug,
        summary=f"Served by paved-runtime {__version__}",
        description=spec.purpose,
        version=invocations.version,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )

    @api.get("/ping", summary="200: the model is loaded")
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    @api.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    document = api.openapi()
    document["paths"]["/invocations"] = openapi.invocations(spec, invocations.explainer, invocations.limit)
    return api


def _inside(invocations: Invocations | LineByLine, log: ScoreLog | Reporter, *, waits: bool) -> ASGI:
    """`waits`: whether an answer may wait for another service. Such requests wait side by side, in threads."""
    lane = ThreadPoolExecutor(1)  # one after the other: each more would hold up /ping and single rows for its own turn of the interpreter
    waiting = ThreadPoolExecutor(AT_ONCE) if waits else None

    async def route(scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            return await _respond(send, refusal(405, f"expected POST, found {scope['method']}"), (b"allow", b"POST"))
        body = await _body(receive, invocations.limit)
        if body is None:
            return None
        headers = scope["headers"]
        content_type, accept = _header(headers, b"content-type"), _header(headers, b"accept")
        slow = len(body) > LARGE or EXPLAIN in body
        asked = content_type, body, accept
        threads = lane if slow else waiting
        reply = (
            await asyncio.get_running_loop().run_in_executor(threads, invocations.reply, *asked) if threads else invocations.reply(*asked)
        )
        await _respond(send, reply)
        return log.count(reply)

    return route


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    """The values of a header, which may stand there several times; empty where it does not."""
    return ", ".join(value.decode("latin-1") for name, value in headers if name == wanted)


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The request's body; of one over the limit only the first bytes, enough to be refused. None if the client went away."""
    message = await receive()
    if not message.get("more_body"):
        return bytes(message["body"]) if message["type"] == "http.request" else None
    chunks, size = [message["body"]], len(message["body"])
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        if size <= limit:
            chunks.append(message["body"])
            size += len(message["body"])
    return b"".join(chunks)


async def _respond(send: Send, reply: Reply, *headers: tuple[bytes, bytes]) -> None:
    standard = [(b"content-type", reply.content_type.encode()), (b"content-length", str(len(reply.body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": [*standard, *headers]})
    await send({"type": "http.response.body", "body": reply.body})
