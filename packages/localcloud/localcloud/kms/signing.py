"""KMS signatures of digests: moto signs whole messages only."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.responses import KmsResponse

from localcloud.core.errors import error, invalid
from localcloud.kms import keys

DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}
LONGEST = 4096  # bytes of a message that is signed whole
_sign, _verify = KmsResponse.sign, KmsResponse.verify


def install() -> None:
    """Answer Sign and Verify of digests."""
    KmsResponse.sign = sign  # type: ignore[method-assign]
    KmsResponse.verify = verify  # type: ignore[method-assign]


def sign(self: Any) -> str:
    if self._get_param("MessageType") != "DIGEST":
        return _whole(self, _sign)
    key, digest, algorithm = _request(self)
    signature = key.private_key.private_key.sign(digest, algorithm)
    return _answer(self, key, {"Signature": base64.b64encode(signature).decode()})


def verify(self: Any) -> str:
    """As KMS: a signature that does not hold is an error."""
    if self._get_param("MessageType") != "DIGEST":
        answer = _whole(self, _verify)
        if not json.loads(answer)["SignatureValid"]:
            raise error("KMSInvalidSignatureException", "")
        return answer
    key, digest, algorithm = _request(self)
    try:
        key.private_key.private_key.public_key().verify(base64.b64decode(self._get_param("Signature")), digest, algorithm)
    except InvalidSignature:
        raise error("KMSInvalidSignatureException", "") from None
    return _answer(self, key, {"SignatureValid": True})


def _whole(self: Any, operation: Callable[[Any], str]) -> str:
    if len(self._get_param("Message")) > LONGEST:
        raise invalid(f"1 validation error detected: Value at 'message' has length greater than {LONGEST}")
    return operation(self)


def _request(self: Any) -> tuple[Any, bytes, ec.ECDSA]:
    """The key, the digest and how it is signed. Raises an AWS error where KMS would."""
    name, wanted = self._get_param("KeyId"), self._get_param("SigningAlgorithm")
    key = keys.find(name, self.current_account, self.region)
    if key is None:
        raise error("NotFoundException", f"Key '{name}' does not exist")
    if key.key_usage != "SIGN_VERIFY" or wanted not in key.signing_algorithms:
        raise error("InvalidKeyUsageException", f"{key.arn} key usage is {key.key_usage} which is not valid for {wanted}.")
    if wanted not in DIGESTS:
        raise invalid(f"localcloud signs digests with {', '.join(DIGESTS)} only, not with {wanted}")
    digest: bytes = self._get_param("Message")
    if len(digest) != DIGESTS[wanted].digest_size:
        raise invalid(f"Digest is invalid length for algorithm {wanted}.")
    return key, digest, ec.ECDSA(Prehashed(DIGESTS[wanted]))


def _answer(self: Any, key: Any, more: dict[str, Any]) -> str:
    return json.dumps({"KeyId": key.arn, "SigningAlgorithm": self._get_param("SigningAlgorithm"), **more})
