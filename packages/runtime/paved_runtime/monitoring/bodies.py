"""A request's or an answer's body, as SageMaker's data capture wrote it."""

from __future__ import annotations

import base64
import binascii

import msgspec

from paved_runtime.media_types import CSV, JSON, LINES, RequestError, content


class Body(msgspec.Struct, gc=False):
    """A body, and how the log has it."""

    data: str = ""
    encoding: str = ""
    observedContentType: str = ""  # noqa: N815 - SageMaker's name

    @property
    def format(self) -> str:
        """What it is: as data capture encoded it, which knows CSV and JSON, and by its content type."""
        if self.encoding == "CSV":
            return CSV
        try:
            known = content(self.observedContentType).format
        except RequestError:
            return JSON
        return JSON if self.encoding == "JSON" and known != LINES else known

    @property
    def header(self) -> bool | None:
        """What the content type says of a header."""
        try:
            return content(self.observedContentType).header
        except RequestError:
            return None

    @property
    def text(self) -> str:
        """Raises ValueError."""
        if self.encoding != "BASE64":
            return self.data
        try:
            return base64.b64decode(self.data, validate=True).decode()
        except binascii.Error as error:
            raise ValueError("no base64") from error
