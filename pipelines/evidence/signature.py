"""Signs bytes with a KMS key that never leaves KMS, and checks such signatures, there or with the public key alone.

KMS takes at most 4096 bytes, so it is given their SHA-256. What it returns is the signature `openssl dgst -sha256 -verify` reads.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

ALGORITHM = "ECDSA_SHA_256"
INVALID = "KMSInvalidSignatureException"


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One asymmetric key. `kms` is a boto3 client, `key` the key's ARN; signatures are base64, one line."""

    kms: KMSClient
    key: str

    def sign(self, content: bytes) -> str:
        """The signature of `content`. Two signatures of the same bytes differ; both hold."""
        return base64.b64encode(self.kms.sign(**self._request(content))["Signature"]).decode()

    def verify(self, content: bytes, signature: str) -> bool:
        """Whether this key made `signature` for exactly these bytes."""
        try:
            return bool(self.kms.verify(**self._request(content), Signature=_decoded(signature))["SignatureValid"])
        except binascii.Error:
            return False
        except ClientError as error:
            if error.response["Error"]["Code"] != INVALID:
                raise
            return False

    def public_key(self) -> str:
        """The public half, as PEM."""
        der = base64.b64encode(self.kms.get_public_key(KeyId=self.key)["PublicKey"]).decode()
        return "\n".join(["-----BEGIN PUBLIC KEY-----", *textwrap.wrap(der, 64), "-----END PUBLIC KEY-----", ""])

    def created(self) -> datetime:
        """Since when there has been this key, as KMS says it."""
        return self.kms.describe_key(KeyId=self.key)["KeyMetadata"]["CreationDate"]

    def _request(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).digest()
        return {"KeyId": self.key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": ALGORITHM}


def verify_offline(public_key: str, content: bytes, signature: str) -> bool:
    """Whether the private half of `public_key` (PEM) signed exactly these bytes. Asks nobody.

    The key must come from somewhere else than the pack: whoever can forge a pack can forge the key in it.
    """
    key = serialization.load_pem_public_key(public_key.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(_decoded(signature), content, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _decoded(signature: str) -> bytes:
    return base64.b64decode(signature.strip(), validate=True)
