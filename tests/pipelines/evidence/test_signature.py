"""A signature holds for one key and one sequence of bytes; whoever has the public key can tell, with openssl too."""

from __future__ import annotations

import base64
import shutil

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines.evidence.signature import verify_offline
from tests.support.world import World

NEEDS_OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
CONTENT = b"a document of more than 4096 bytes" * 200


def test_a_signature_holds_for_its_bytes_and_its_key(approved: World) -> None:
    signature = approved.signer.sign(CONTENT)

    assert len(signature.splitlines()) == 1
    assert approved.signer.verify(CONTENT, signature + "\n")
    assert not approved.signer.verify(CONTENT + b" ", signature)
    assert not approved.stranger.verify(CONTENT, signature)


@pytest.mark.parametrize("signature", ["", "not base64!", "QUJD", "MEUCIQ" * 12])
def test_what_is_no_signature_does_not_hold(approved: World, signature: str) -> None:
    assert not approved.signer.verify(CONTENT, signature)
    assert not verify_offline(approved.signer.public_key(), CONTENT, signature)


def test_the_public_key_is_enough(approved: World) -> None:
    signature, public_key = approved.signer.sign(CONTENT), approved.signer.public_key()

    assert verify_offline(public_key, CONTENT, signature)
    assert not verify_offline(public_key, CONTENT[1:], signature)
    assert not verify_offline(approved.stranger.public_key(), CONTENT, signature)


def test_a_key_of_another_kind_signed_nothing() -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    assert not verify_offline(pem, CONTENT, base64.b64encode(b"signature").decode())
