"""Keys that sign: made by a stack, used over digests, and checked by anybody who has the public half."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.testing import ACCOUNT, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

TEXT = b"x" * 5000
ALIAS = f"alias/{named('evidence')}"
SHA256 = hashlib.sha256(TEXT).digest()
OWN = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
KEY = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "KeyPolicy": {"Version": "2012-10-17", "Statement": [OWN]}}

pytestmark = pytest.mark.aws("evidence, approvals and ledger signed with asymmetric KMS keys")


@pytest.fixture(scope="module")
def key(cloud: Accounts) -> str:
    """The ARN of a key that a stack made."""
    stack = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": KEY},
        "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": ALIAS, "TargetKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
    }
    assert deploy(cloud, named("signing"), {"Resources": stack}) == "CREATE_COMPLETE", reasons(cloud, named("signing"))
    return str(cloud.client("kms").describe_key(KeyId=ALIAS)["KeyMetadata"]["Arn"])


def request(key: str, **changes: Any) -> dict[str, Any]:
    return {"KeyId": key, "Message": SHA256, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256", **changes}


def test_openssl_checks_what_was_signed(cloud: Accounts, key: str, tmp_path: Path) -> None:
    kms = cloud.client("kms")
    (tmp_path / "text").write_bytes(TEXT)
    (tmp_path / "signature").write_bytes(kms.sign(**request(key))["Signature"])
    body = base64.encodebytes(kms.get_public_key(KeyId=key)["PublicKey"]).decode()
    (tmp_path / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n")

    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "text"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout == "Verified OK\n"


def test_a_signature_holds_for_its_own_digest_only(cloud: Accounts, key: str) -> None:
    kms = cloud.client("kms")
    signature = kms.sign(**request(key))["Signature"]

    assert kms.verify(**request(key, Signature=signature))["SignatureValid"] is True
    assert kms.verify(**request(ALIAS, Signature=signature))["KeyId"] == key
    for changes in ({"Message": bytes(32), "Signature": signature}, {"Signature": signature[:-1] + b"\0"}, {"Signature": b"no signature"}):
        with pytest.raises(kms.exceptions.KMSInvalidSignatureException):
            kms.verify(**request(key, **changes))


def test_a_message_may_be_signed_whole_when_it_is_short(cloud: Accounts, key: str) -> None:
    kms = cloud.client("kms")
    short = request(key, Message=b"short", MessageType="RAW")
    signature = kms.sign(**short)["Signature"]

    assert kms.verify(**request(key, Message=hashlib.sha256(b"short").digest(), Signature=signature))["SignatureValid"] is True
    with pytest.raises(kms.exceptions.KMSInvalidSignatureException):
        kms.verify(**{**short, "Message": b"other"}, Signature=signature)
    with pytest.raises(ClientError, match="ValidationException"):
        kms.sign(**request(key, Message=TEXT, MessageType="RAW"))


def test_what_kms_refuses_is_refused(cloud: Accounts, key: str) -> None:
    kms = cloud.client("kms")
    encrypts = kms.create_key()["KeyMetadata"]["Arn"]

    with pytest.raises(ClientError, match="invalid length"):
        kms.sign(**request(key, Message=b"short"))
    with pytest.raises(kms.exceptions.InvalidKeyUsageException):
        kms.sign(**request(encrypts))
    with pytest.raises(kms.exceptions.InvalidKeyUsageException):
        kms.sign(**request(key, SigningAlgorithm="ECDSA_SHA_384"))
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.sign(**request(f"alias/{named('nobody')}"))


def test_an_asymmetric_key_cannot_rotate(cloud: Accounts, name: Name) -> None:
    stack = {"Key": {"Type": "AWS::KMS::Key", "Properties": {**KEY, "EnableKeyRotation": True}}}

    assert deploy(cloud, name("rotating"), {"Resources": stack}) == "ROLLBACK_COMPLETE"
    assert "asymmetric" in reasons(cloud, name("rotating"))
