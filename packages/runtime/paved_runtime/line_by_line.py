"""What the server answers in a batch transform job: to a request of JSON Lines a line for each line, whatever is wrong with single rows.

SageMaker puts each line of an answer beside the line that it asked about, so there must be as many ("Associate Prediction Results with
Input Records"). It says that a container is in such a job by the variable SAGEMAKER_BATCH, and how large its requests get by
SAGEMAKER_MAX_PAYLOAD_IN_MB ("Use Your Own Inference Code with Batch Transform").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from paved_runtime.invocations import Invocations, Reply, refusal
from paved_runtime.media_types import LINES, RequestError, acceptable, content

BLOCK = 1_000  # lines that are read, and scored, at a time
NO_SCORE = "expected a finite score, found none: see what the features do with this row"


class Refused(msgspec.Struct, gc=False):
    """A line's answer where it is no row of the contract."""

    error: str


class LineByLine:
    """A model that answers a transform job's requests, of at most `limit` bytes. Any other request is answered as ever."""

    def __init__(self, invocations: Invocations, limit: int) -> None:
        self.limit = max(limit, invocations.limit)
        self._invocations = invocations
        self._encoder = msgspec.json.Encoder()

    def reply(self, content_type: str, body: bytes, accept: str = "") -> Reply:
        """Answer one request, whatever it holds."""
        try:
            kind = content(content_type)
            wanted = acceptable(accept, kind)[0]
        except RequestError as error:
            return refusal(error.status, str(error))
        if not kind.format == wanted.format == LINES:
            return self._invocations.reply(content_type, body, accept)
        if len(body) > self.limit:
            return refusal(413, f"expected at most {self.limit} bytes, found more")
        lines = body.removesuffix(b"\n").split(b"\n")
        answers: list[Any] = []
        scalars: list[float] = []
        for start in range(0, len(lines), BLOCK):
            for answer, numbers in self._answers(lines[start : start + BLOCK]):
                answers += answer
                scalars += numbers
        return Reply(200, wanted.name, self._encoder.encode_lines(answers), scalars)

    def _answers(self, lines: Sequence[bytes]) -> Iterator[tuple[list[Any], list[float]]]:
        """The answers to some lines, and their scores for the score log: of all at once, or one by one where one is wrong."""
        try:
            yield self._scored(lines)
        except RequestError as error:
            if len(lines) == 1:
                yield [Refused(_reason(error))], []
            else:
                for line in lines:
                    yield from self._answers([line])

    def _scored(self, lines: Sequence[bytes]) -> tuple[list[Any], list[float]]:
        """Raises RequestError where a line is no row of the contract, or has no finite score."""
        table = self._invocations.requests.lines(b"\n".join(lines))
        if len(table) != len(lines):
            raise RequestError(400, "the body has blank lines: expected one row a line")
        scores = self._invocations.scores(table)
        if not np.isfinite(scores).all():
            raise RequestError(422, NO_SCORE)
        listed = scores.tolist()
        return self._invocations.form.predictions(listed), self._invocations.form.scalars(listed)


def _reason(error: RequestError) -> str:
    """What is wrong with a line that was read by itself."""
    return re.sub(r"\A(?:row 1|the body)(?:, |: | is )", "", str(error))
