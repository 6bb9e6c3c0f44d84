"""Parts of AWS in memory, for commands that read evidence."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError


@dataclass
class S3:
    """Objects by their URI."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - botocore's own words
        try:
            return {"Body": io.BytesIO(self.objects[f"s3://{Bucket}/{Key}"])}
        except KeyError as error:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject") from error


@dataclass
class Kms:
    """A key whose signature of a digest is the digest, reversed."""

    def sign(self, *, Message: bytes, **_: Any) -> dict[str, bytes]:  # noqa: N803
        return {"Signature": Message[::-1]}

    def verify(self, *, Message: bytes, Signature: bytes, **_: Any) -> dict[str, bool]:  # noqa: N803
        if Signature != Message[::-1]:
            raise ClientError({"Error": {"Code": "KMSInvalidSignatureException"}}, "Verify")
        return {"SignatureValid": True}


@dataclass
class Ssm:
    """Every parameter has its name for a value."""

    exceptions: Any = field(default_factory=lambda: type("Exceptions", (), {"ParameterNotFound": KeyError}))

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        return {"Parameter": {"Value": Name}}
