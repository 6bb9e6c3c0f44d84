"""Stand-ins for AWS clients: they answer what a test says and remember what they were asked."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from pipelines.deployment.accounts import Clients
from pipelines.deployment.pace import Pace

Anything: Any = object  # to a type checker, a fake is whatever client is asked for


class Fake(Anything):  # type: ignore[misc]
    """A client whose methods are given by name; each call is kept in `calls` as (name, arguments)."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._methods = methods

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self._methods:
            raise AttributeError(name)
        method = self._methods[name]

        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return method(**arguments)

        return call

    def get_paginator(self, name: str) -> Any:
        """A paginator of one page."""
        return Paginator(lambda arguments: getattr(self, name)(**arguments))

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The arguments of every call of one method."""
        return [arguments for called, arguments in self.calls if called == name]


class Paginator:
    """Yields one page."""

    def __init__(self, page: Callable[[dict[str, Any]], Any]) -> None:
        self._page = page

    def paginate(self, **arguments: Any) -> Iterable[Any]:
        yield self._page(arguments)


class Altered(Anything):  # type: ignore[misc]
    """A client that answers some calls in another way."""

    def __init__(self, client: Any, **calls: Callable[..., Any]) -> None:
        self._client, self._calls = client, calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)


class Killed(BaseException):
    """The end of a process that nobody catches."""


def mortal(client: Any, lives: Iterable[object], *names: str) -> Altered:
    """A client whose caller is killed right after one of its `names` was called, once its `lives` are used up; they may be shared."""

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(**arguments: Any) -> Any:
            answer = call(**arguments)
            if next(left, None) is None:
                raise Killed
            return answer

        return made

    left = iter(lives)
    return Altered(client, **{name: deadly(getattr(client, name)) for name in names})


def clients(services: dict[str, Any]) -> Clients:
    """Clients by their service's name. A test fails that asks for another."""

    def client(service: str, /, *, config: object = None) -> Any:  # noqa: ARG001  # fakes neither wait nor retry
        return services[service]

    return client


def refusal(code: str, message: str, **rest: Any) -> ClientError:
    """An error as AWS sends it."""
    response: Any = {"Error": {"Code": code, "Message": message}, **rest}
    return ClientError(response, "Operation")


def archive(**files: object) -> bytes:
    """A `model.tar.gz` with JSON files in it, named as SageMaker's own archiving does; bytes become a `.onnx` file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            data, kind = (content, "onnx") if isinstance(content, bytes) else (json.dumps(content).encode(), "json")
            member = tarfile.TarInfo(f"./{name}.{kind}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


class Clock:
    """A clock by which nobody waits: time passes only while somebody would."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Seconds since the test began."""
        return self._now

    def sleep(self, seconds: float, /) -> None:
        """Pass the time."""
        self._now += seconds


AT_ONCE = Pace(poll_seconds=0)
