"""Files of a transform job as requests to its model, and the answers as the file that is stored.

By the API reference (CreateTransformJob, TransformInput, TransformOutput). A mebibyte is its MB, as the limit of InvokeEndpoint's requests
is 6,291,456 bytes; that each record of a request of several ends with a newline, and the only one of a request does not, is localcloud's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from localcloud.sagemaker import data_processing
from localcloud.sagemaker.data_processing import DataProcessing, Unreadable

MB = 2**20
NEWLINE = b"\n"


class TooLarge(Exception):
    """A record is larger than a request may be."""


@dataclass(frozen=True)
class Batch:
    """What is sent at once: the records, as the file has them, and the body of the request."""

    records: list[bytes]
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How files are split (`by_line`, or not), how many records go together, and how answers are assembled; `most` is a request's bytes."""

    by_line: bool
    single: bool
    most: int
    ends_lines: bool
    processing: DataProcessing | None

    def batches(self, file: BinaryIO) -> Iterator[Batch]:
        """The requests of one file, in its order. Raises TooLarge, and Unreadable."""
        if not self.by_line:
            if whole := file.read():
                yield self._whole(whole)
            return
        batch, size = list[tuple[bytes, bytes]](), 0
        for line in file:
            record = line.removesuffix(NEWLINE)
            sent = self._sent(record)
            length = len(sent) + (0 if self.single else 1)
            if batch and (self.single or size + length > self.most):
                yield self._together(batch)
                batch, size = [], 0
            self._require(length)
            batch.append((record, sent))
            size += length
        if batch:
            yield self._together(batch)

    def _together(self, batch: list[tuple[bytes, bytes]]) -> Batch:
        bodies = [sent for _, sent in batch]
        payload = bodies[0] if self.single else b"".join(body + NEWLINE for body in bodies)
        return Batch([record for record, _ in batch], payload)

    def _whole(self, whole: bytes) -> Batch:
        """A file at once."""
        records = _lines(whole) if self.processing and self.processing.lines else [whole]
        payload = NEWLINE.join(map(self._sent, records)) if self.processing else whole
        self._require(len(payload))
        return Batch(records, payload)

    def _require(self, size: int) -> None:
        if size > self.most:
            raise TooLarge(f"Too much data for max payload size: {size} bytes, and MaxPayloadInMB is {self.most // MB}")

    def _sent(self, record: bytes) -> bytes:
        return self.processing.sent(record) if self.processing else record

    def assembled(self, batch: Batch, answer: bytes) -> bytes:
        """What is stored of a batch and its answer. Raises Unreadable."""
        stored = NEWLINE.join(self._kept(self.processing, batch, answer)) if self.processing else answer
        return stored + NEWLINE if self.ends_lines and not stored.endswith(NEWLINE) else stored

    def _kept(self, processing: DataProcessing, batch: Batch, answer: bytes) -> Iterator[bytes]:
        answers = [answer.removesuffix(NEWLINE)] if len(batch.records) == 1 else _lines(answer)
        if len(answers) != len(batch.records):
            raise Unreadable(f"{len(batch.records)} records were sent, and the answer has {len(answers)}")
        return (processing.kept(record, said) for record, said in zip(batch.records, answers, strict=True))


def read(request: Mapping[str, Any], *, megabytes: int, single: bool) -> Rules:
    """Of CreateTransformJob's request, with the settings that hold."""
    return Rules(
        by_line=request["TransformInput"].get("SplitType") == "Line",
        single=single,
        most=megabytes * MB,
        ends_lines=request["TransformOutput"].get("AssembleWith") == "Line",
        processing=data_processing.read(request),
    )


def _lines(text: bytes) -> list[bytes]:
    return text.removesuffix(NEWLINE).split(NEWLINE)
