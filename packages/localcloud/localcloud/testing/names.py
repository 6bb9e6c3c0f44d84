"""Names for resources that no other test uses."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from localcloud.testing import VERIFICATION, named

LENGTH = 20 if VERIFICATION else 30  # of what a name has of its test, so that the longest still is one that AWS takes
Name = Callable[[str], str]


def unique(test: str) -> Name:
    """`name("endpoint")`, for the test of a node id: the same name each time, and another in every other test."""
    stem = "".join(c if c.isalnum() else "-" for c in test.rpartition("::")[2])[:LENGTH].strip("-")
    return lambda kind: named(f"{kind}-{stem}-{crc32(test.encode()):08x}")
