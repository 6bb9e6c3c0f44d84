"""Stand-ins for AWS clients: they answer what a test says and remember what they were asked."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError


class Fake:
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
    """Stands in for the module `time`: nobody waits, and time passes only while somebody would."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
