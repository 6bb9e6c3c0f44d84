"""`road down`: the AWS on this laptop, ended."""

from __future__ import annotations

from cli import local
from cli.output import say


def down() -> None:
    """Stop localcloud and everything it started, and remove its folder."""
    say(local.stop())
