"""Names for resources that no other test uses."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

Name = Callable[[str], str]


def unique(test: str) -> Name:
    """`name("endpoint")`, for the test of a node id: the same name each time, and another in every other test."""
    stem = "".join(c if c.isalnum() else "-" for c in test.rpartition("::")[2])[:30].strip("-")
    return lambda kind: f"{kind}-{stem}-{crc32(test.encode()):08x}"
