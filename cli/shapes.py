"""How a model that is new is asked, as the tables of `[serving]` say it: what fits most, to be measured and changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Offered = Literal["real-time", "asynchronous", "serverless"]  # an endpoint that models share is somebody's in config.py first
MACHINE = 'instance_type = "ml.m5.large"'
AT_ONCE = 'deployment = { policy = "all-at-once", bake_minutes = 1 }'
GUARDED_AT_ONCE = 'deployment = { policy = "all-at-once", bake_minutes = 10 }'
CANARY = 'deployment = { policy = "canary", size_percent = 50, bake_minutes = 10 }'


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How its endpoint is asked, and whether files of rows are scored, too."""

    style: Offered = "real-time"
    batch: bool = False

    @property
    def monitored(self) -> bool:
        """Whether there is anything to monitor: of requests that wait, or to a serverless endpoint, nothing is captured."""
        return self.batch or self.style == "real-time"


def endpoint(shape: Shape, *, guarded: bool) -> Iterator[str]:
    """The lines of an environment's table; a `guarded` one has callers whom a bad version would hurt."""
    if shape.style == "serverless":
        yield GUARDED_AT_ONCE if guarded else AT_ONCE
        return
    yield MACHINE
    yield from ("instances = 2", CANARY) if guarded else ("instances = 1", AT_ONCE)


def tables(shape: Shape, environment: str) -> Iterator[str]:
    """The tables below it; `environment` is its name as TOML writes it."""
    if shape.style == "serverless":
        yield from ("", f"[serving.{environment}.serverless]", "memory_mb = 2048", "maximum_concurrency = 5")
    if shape.style == "asynchronous":
        yield from ("", f"[serving.{environment}.asynchronous]", 'notices = "failures"')
    if shape.batch:
        yield from ("", f"[serving.{environment}.batch]", MACHINE)
