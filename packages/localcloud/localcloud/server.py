"""The one HTTP server: moto's services, with everything in this package put in the place of what moto only records."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from localcloud import services
from localcloud.codepipeline import pipelines
from localcloud.core.assumptions import Assumption
from localcloud.core.cloud import Cloud, install
from localcloud.core.interruptions import Interruptions
from localcloud.ecr import engine
from localcloud.source import git

STATE = "cloud.json"


class _QuietHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A line a request would drown localcloud.log."""


class CannotListen(Exception):
    """A port that cannot be had; the message says why."""


class Server:
    """A listening cloud. Raises CannotListen when the port cannot be had, and NoEngine where there are to be containers and cannot be."""

    def __init__(
        self,
        *,
        root: Path,
        port: int,
        speed: float,
        accounts: list[str],
        region: str,
        longest_session: float,
        reads_late: float,
        assumptions: Collection[Assumption],
        quotas: Mapping[str, int],
        interruptions: Interruptions | None,
        host_losses: Interruptions | None,
        containers: bool,
    ) -> None:
        self.accounts, self.region = accounts, region
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._socket = _listen(port)
        port, fd = self._socket.getsockname()[1], self._socket.fileno()
        self._http = make_server("127.0.0.1", port, self._answer, threaded=True, request_handler=_QuietHandler, fd=fd)
        self.url = f"http://localhost:{port}"
        for old in root.iterdir():
            if old.name != "localcloud.log":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        self.cloud = Cloud(
            root=root,
            url=self.url,
            region=region,
            speed=speed,
            longest_session=longest_session,
            reads_late=reads_late,
            assumptions=assumptions,
            quotas=quotas,
            interruptions=interruptions,
            host_losses=host_losses,
            engine=engine.start(root) if containers else None,
        )
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def start(self) -> None:
        """Listen, and write the files by which other programs find this cloud: cloud.json, and an environment for each account."""
        install(self.cloud)
        services.install()
        remote = git.create(self.url)
        self._thread.start()
        state: dict[str, Any] = {
            "pid": os.getpid(),
            "url": self.url,
            "region": self.region,
            "remote": str(remote),
            "root": str(self.cloud.root),
            "speed": self.cloud.speed,
            "containers": self.cloud.engine.variables() if self.cloud.engine else {},
            "accounts": {account: self.cloud.administrator(account) for account in self.accounts},
        }
        for account, keys in state["accounts"].items():
            variables = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, **keys}
            self._write(_environment(account), "".join(f"export {name}={value}\n" for name, value in variables.items()))
        self._write(STATE, json.dumps(state, indent=2))

    def stop(self) -> None:
        """End every build, job and endpoint, then the server."""
        for name in (STATE, *map(_environment, self.accounts)):
            (self.cloud.root / name).unlink(missing_ok=True)
        services.shutdown()
        if self.cloud.engine:
            self.cloud.engine.stop()
        self._http.shutdown()
        self._http.server_close()
        self._socket.close()

    def _write(self, name: str, text: str) -> None:
        """A file that nobody else may read, whole from its first moment on."""
        draft = self.cloud.root / f"{name}.new"
        draft.touch(0o600)
        draft.write_text(text)
        draft.replace(self.cloud.root / name)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != git.ROUTE:
            return self._moto(environ, _logged(environ, start_response))  # type: ignore[no-any-return]
        lines = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        started = [line for push in git.read(lines) for line in pipelines.pushed(push)]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(started).encode()]


def _listen(port: int) -> socket.socket:
    """Werkzeug would print and exit where the port is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise CannotListen(f"cannot listen on port {port}: {os.strerror(error.errno) if error.errno else error}") from error


def _environment(account: str) -> str:
    return f"{account}.env"


def _logged(environ: dict[str, Any], start_response: Callable[..., Any]) -> Callable[..., Any]:
    """Note requests that were refused: by IAM, by what localcloud cannot do, or by a fault in it."""

    def start(status: str, headers: Any, *rest: Any) -> Any:
        if status >= "400":
            what = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ.get('RAW_URI', environ['PATH_INFO'])}"
            logging.getLogger("localcloud").warning("%s answered to %s", status, what)
        return start_response(status, headers, *rest)

    return start
