"""Signed statements as in-toto's tools read them: DSSE envelopes, one a line.

What is signed is the payload and its type together (DSSE's pre-authentication encoding), so an envelope cannot be read as something else.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pipelines.evidence import document, pack
from pipelines.evidence.document import Document, DocumentError
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAYLOAD_TYPE: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"
Statement = Mapping[str, Any]


class Signature(Document):
    """One signature, in base64. `keyid` is the ARN of the key that made it: a hint, not a proof."""

    keyid: str
    sig: str


class Envelope(Document):
    """A payload in base64, and who signed it."""

    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815 - DSSE's own word
    signatures: Annotated[list[Signature], Field(min_length=1)]


def pae(payload: bytes) -> bytes:
    """The bytes that are signed.

    >>> pae(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload


def seal(signer: Signer, statements: Sequence[Statement]) -> bytes:
    """The statements in envelopes of their own, a line each."""
    return b"".join(_sealed(signer, json.dumps(statement, sort_keys=True, ensure_ascii=False).encode()) for statement in statements)


def unseal(signer: Signer, content: bytes, name: str) -> list[Statement]:
    """The statements in envelopes that this key signed; `name` is what errors call them.

    Raises:
        DocumentError: one is no envelope, or the key did not sign it.
    """
    return [_unsealed(signer, line, f"{name}, line {number}") for number, line in enumerate(content.splitlines(), start=1)]


def keep(s3: S3Client, signer: Signer, uri: str, statements: Sequence[Statement]) -> None:
    """Store the statements, sealed, unless they lie there so already: signing again would give other bytes."""
    content = pack.read(s3, uri)
    if content is None or not _holds(signer, content, statements):
        pack.write(s3, uri, seal(signer, statements))


def _holds(signer: Signer, content: bytes, statements: Sequence[Statement]) -> bool:
    try:
        return unseal(signer, content, "") == list(statements)
    except DocumentError:
        return False


def _sealed(signer: Signer, payload: bytes) -> bytes:
    signature = Signature(keyid=signer.key, sig=signer.sign(pae(payload)))
    envelope = Envelope(payload=base64.b64encode(payload).decode(), payloadType=PAYLOAD_TYPE, signatures=[signature])
    return envelope.model_dump_json().encode() + b"\n"


def _unsealed(signer: Signer, line: bytes, name: str) -> Statement:
    envelope = document.parse(Envelope, line, name)
    try:
        payload = base64.b64decode(envelope.payload, validate=True)
    except binascii.Error as error:
        raise DocumentError(f"{name}: payload: not base64: {error}") from error
    if not any(signer.verify(pae(payload), signature.sig) for signature in envelope.signatures):
        raise DocumentError(f"{name}: no signature that {signer.key} made for it")
    return document.read_json(payload, name)
