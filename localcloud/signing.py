"""KMS signatures of digests: moto signs whole messages only, and its stacks know symmetric keys only."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.models import Key
from moto.kms.responses import KmsResponse
from moto.kms.utils import generate_private_key

from localcloud.errors import error, invalid
from localcloud.needs import find_key

DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}
LONGEST = 4096  # bytes of a message that is signed whole
_sign, _verify = KmsResponse.sign, KmsResponse.verify
_create = Key.create_from_cloudformation_json


def install() -> None:
    """Answer Sign and Verify of digests, and make the keys for it that templates ask for."""
    KmsResponse.sign = sign  # type: ignore[method-assign]
    KmsResponse.verify = verify  # type: ignore[method-assign]
    Key.create_from_cloudformation_json = staticmethod(_created)  # type: ignore[method-assign]


def sign(self: Any) -> str:
    if self._get_param("MessageType") != "DIGEST":
        return _whole(self, _sign)
    key, digest, algorithm = _asked(self)
    signature = key.private_key.private_key.sign(digest, algorithm)
    return _answer(self, key, {"Signature": base64.b64encode(signature).decode()})


def verify(self: Any) -> str:
    """As KMS: a signature that does not hold is an error."""
    if self._get_param("MessageType") != "DIGEST":
        answered = _whole(self, _verify)
        if not json.loads(answered)["SignatureValid"]:
            raise error("KMSInvalidSignatureException", "")
        return answered
    key, digest, algorithm = _asked(self)
    try:
        key.private_key.private_key.public_key().verify(base64.b64decode(self._get_param("Signature")), digest, algorithm)
    except InvalidSignature:
        raise error("KMSInvalidSignatureException", "") from None
    return _answer(self, key, {"SignatureValid": True})


def _whole(self: Any, operation: Callable[[Any], str]) -> str:
    if len(self._get_param("Message")) > LONGEST:
        raise invalid(f"1 validation error detected: Value at 'message' has length greater than {LONGEST}")
    return operation(self)


def _asked(self: Any) -> tuple[Any, bytes, ec.ECDSA]:
    """The key, the digest and how it is signed. Raises an AWS error where KMS would."""
    name, wanted = self._get_param("KeyId"), self._get_param("SigningAlgorithm")
    key = find_key(name, self.current_account, self.region)
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


def _created(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    properties = cloudformation_json["Properties"]
    made = _create(resource_name, cloudformation_json, account_id, region_name)
    made.policy = json.dumps(properties["KeyPolicy"])  # moto expects the text that CreateKey takes
    spec = properties.get("KeySpec", "SYMMETRIC_DEFAULT")
    if spec != "SYMMETRIC_DEFAULT":
        if properties.get("EnableKeyRotation"):
            raise invalid("You cannot set the EnableKeyRotation property to true on asymmetric KMS keys.")
        made.key_spec, made.key_usage = spec, properties["KeyUsage"]
        made.private_key = generate_private_key(spec)
    return made
