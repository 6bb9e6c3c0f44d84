"""What lies in S3 under a prefix, as blocks of whole lines: small objects are fetched ahead, large ones are streamed."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from paved_runtime.monitoring.services import S3
from paved_runtime.protocol import BATCH_CAPTURE

PIECE = 2 * 2**20  # bytes that are read, and taken apart, at a time
AHEAD = 8  # objects
LONGEST = 64 * 2**20  # bytes of a line; SageMaker passes on 6 MiB in and as many out


@dataclass(frozen=True, order=True)
class Object:
    """An object of a bucket, in the order in which objects were written."""

    written: datetime
    key: str
    size: int

    @property
    def of_batch(self) -> bool:
        """Whether it has rows that a batch scored, and that nobody asked the endpoint about."""
        return self.key.rpartition("/")[2].startswith(BATCH_CAPTURE)


@dataclass(frozen=True)
class Shard:
    """The part of the objects that one of several machines reads: those whose key falls to its place."""

    place: int = 0
    of: int = 1

    def has(self, key: str) -> bool:
        return zlib.crc32(key.encode()) % self.of == self.place


class Store:
    """One bucket. `piece` bytes are read at a time, and what is longer than `longest` bytes is no line of ours."""

    def __init__(self, s3: S3, bucket: str, *, piece: int = PIECE, longest: int = LONGEST) -> None:
        self._s3, self._bucket, self._piece, self._longest = s3, bucket, piece, longest

    def objects(self, prefix: str) -> Iterator[Object]:
        """Every object whose key begins with `prefix`."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield Object(entry["LastModified"], entry["Key"], entry["Size"])

    def folders(self, prefix: str) -> Iterator[str]:
        """Every key that goes on from `prefix` up to the next slash."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
            yield from (entry["Prefix"] for entry in page.get("CommonPrefixes", []))

    def blocks(self, objects: Iterator[Object]) -> Iterator[bytes]:
        """The lines of every object, many at a time. A line that is too long for any request is left out, but for its first bytes."""
        return chain.from_iterable(blocks for _, blocks in self.contents(objects))

    def contents(self, objects: Iterator[Object]) -> Iterator[tuple[Object, Iterator[bytes]]]:
        """The same, object by object; each is to be read before the next."""
        with ThreadPoolExecutor(AHEAD) as pool:
            waiting: deque[tuple[Object, Future[Sequence[bytes]] | None]] = deque()
            for following in chain(objects, [None] * AHEAD):
                if following:
                    waiting.append((following, pool.submit(self._whole, following.key) if following.size <= self._piece else None))
                if waiting and (following is None or len(waiting) > AHEAD):
                    first, fetched = waiting.popleft()
                    yield first, _lines(fetched.result() if fetched else self._pieces(first.key), self._longest)

    def _whole(self, key: str) -> Sequence[bytes]:
        content: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return [content]

    def _pieces(self, key: str) -> Iterator[bytes]:
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        while piece := body.read(self._piece):
            yield piece


def place(uri: str) -> tuple[str, str]:
    """The bucket and the key of an `s3://` URI. Raises ValueError."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"expected a URI like s3://bucket/key, found {uri!r}")
    return bucket, key.strip("/")


def _lines(pieces: Iterable[bytes], longest: int) -> Iterator[bytes]:
    """Pieces cut anew, at the ends of lines."""
    rest = b""
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        elif len(rest) <= longest:
            rest += piece
    if rest:
        yield rest
