"""What becomes of a call, in a word."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def answer(call: Any, **members: Any) -> str:
    """The code of the error that a call comes to; `done` where it comes to none."""
    try:
        call(**members)
    except ClientError as problem:
        return str(problem.response["Error"]["Code"])
    return "done"
