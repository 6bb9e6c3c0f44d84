"""The formats of a request and of its answer: HTTP's Content-Type and Accept, as RFC 9110 (8.3, 12.5.1) and RFC 4180 have them.

An answer has the request's own format unless Accept asks for another: a caller that sends CSV and says no more gets CSV. A request that
names no format is read as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
FORMATS = (JSON, CSV, LINES)
ALIASES = {
    **dict.fromkeys(["application/octet-stream", "*/*", "", "text/json"], JSON),  # the first three are what says nothing
    **dict.fromkeys(["application/csv", "text/x-csv"], CSV),
    **dict.fromkeys(["application/x-jsonlines", "application/jsonl", "application/x-ndjson", "application/ndjson"], LINES),
}
UTF8 = ("", "utf-8", "utf8", "us-ascii", "ascii")
HEADER = {"": None, "present": True, "absent": False}
QUALITY = re.compile(r"\d*\.?\d+|\d+\.", re.ASCII)
CACHED = 256  # different values of a header: clients have few


class RequestError(ValueError):
    """A request that cannot be answered.

    `status` is 400 where its form is wrong, 406 where no answer can have the format that is asked for, 413 where it is too large, 415 where
    its own format is not known, 422 where a value is wrong, 503 where features cannot be looked up now.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class MediaType(NamedTuple):
    """One of FORMATS, and the name that the caller has for it. `header`: whether CSV has one; None where the caller does not say."""

    format: str
    name: str
    header: bool | None = None


@lru_cache(CACHED)
def content(content_type: str) -> MediaType:
    """The format of a request, by its Content-Type. Raises RequestError, 415."""
    name, parameters = _parsed(content_type)
    known = ALIASES.get(name, name)
    if known not in FORMATS:
        raise RequestError(415, f"expected content type {', '.join(FORMATS[:-1])} or {LINES}, found {content_type[:60]!r}")
    if (charset := parameters.get("charset", "")) not in UTF8:
        raise RequestError(415, f"expected UTF-8, found charset {charset[:40]!r}")
    if (header := parameters.get("header", "")) not in HEADER:
        raise RequestError(415, f"expected header=present or header=absent in the content type, found header={header[:40]!r}")
    return MediaType(known, known if known == JSON else name, HEADER[header])


@lru_cache(CACHED)
def acceptable(accept: str, own: MediaType) -> tuple[MediaType, ...]:
    """The formats that an answer may have, by Accept, the one that suits best first; where several suit alike, the request's `own`.

    Raises RequestError, 406.
    """
    if not accept.strip():
        return own, *(MediaType(known, known) for known in FORMATS if known != own.format)
    qualities = dict(_ranges(accept))
    asked = [MediaType(ALIASES[name], name) for name in qualities if name in ALIASES and name != "*/*"]
    offers = [own, *(MediaType(known, known) for known in FORMATS), *asked]
    best: dict[str, tuple[float, MediaType]] = {}
    for offer in offers:
        quality = _quality(offer.name, qualities)
        if quality > best.get(offer.format, (0.0, offer))[0]:
            best[offer.format] = quality, offer
    if not best:
        raise RequestError(406, f"expected to accept {', '.join(FORMATS[:-1])} or {LINES}, found {accept[:60]!r}")
    return tuple(offer for _, offer in sorted(best.values(), key=lambda pair: -pair[0]))


def _quality(name: str, qualities: Mapping[str, float]) -> float:
    """What the most specific range says of a media type; 0 where none does."""
    return next((qualities[known] for known in (name, f"{name.partition('/')[0]}/*", "*/*") if known in qualities), 0.0)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for media_range in accept.split(","):
        name, parameters = _parsed(media_range)
        quality = parameters.get("q", "1")
        yield name, float(quality) if QUALITY.fullmatch(quality) else 1.0


def _parsed(value: str) -> tuple[str, dict[str, str]]:
    """A media type and its parameters, in small letters."""
    name, *parts = (part.strip() for part in value.lower().split(";"))
    pairs = (part.partition("=") for part in parts)
    return name, {key.strip(): text.strip().strip('"') for key, _, text in pairs}
