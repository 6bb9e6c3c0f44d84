"""A signature holds for one key and one sequence of bytes; whoever has the public key can tell, with openssl too."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import naming
from pipelines.evidence import document, pack
from pipelines.evidence.signature import verify_offline
from tests.reference import CONFIG, MODEL, ROOT
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


def by_hand(approved: World, folder: Path, *lines: str, url: str = "", key: str = "") -> list[str]:
    """What a shell prints for `lines` of docs/auditor.md in the folder of a pack."""
    for name in pack.FILES:
        (folder / name).write_bytes(approved.read(pack.beside(approved.uri, name)))
    shutil.copyfile(folder / pack.PUBLIC_KEY, folder / "key.pem")
    ran = subprocess.run(
        ["sh", "-ec", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": CONFIG.toolchain.region, "EVIDENCE_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def documented(*starts: str) -> list[str]:
    """The commands of docs/auditor.md for verifying by hand, those that start so."""
    page = (ROOT / "docs/auditor.md").read_text().partition("## Verifying by hand")[2].partition("\n## ")[0]
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    return [line for line in lines if line.startswith(starts)]


@NEEDS_OPENSSL
def test_the_documented_commands_tell_what_was_signed_and_shown(approved: World, tmp_path: Path) -> None:
    lines = [line for line in documented("base64", "openssl dgst", "python3") if "aws " not in line]
    printed = by_hand(approved, tmp_path, *lines)
    bill = approved.evidence.image.sbom_sha256

    assert printed == ["Verified OK", document.shown_sha256(approved.evidence), f"{bill} {bill}"]


@NEEDS_OPENSSL
def test_openssl_notices_a_change(approved: World, tmp_path: Path) -> None:
    lines = documented("base64", "openssl dgst")

    assert by_hand(approved, tmp_path, 'printf " " >> evidence.json', *lines[:1], f"{lines[1]} || true") == ["Verification failure"]


@pytest.mark.slow
@NEEDS_OPENSSL
def test_the_documented_commands_agree_with_aws(approved: World, evidence_server: str, tmp_path: Path) -> None:
    alias = naming.evidence_key(CONFIG, MODEL)
    approved.signer.kms.create_alias(AliasName=alias, TargetKeyId=approved.signer.key)
    lines = documented("aws", "base64", "openssl", "python3")
    printed = by_hand(approved, tmp_path, *lines, url=evidence_server, key=alias)
    digests = [re.findall(r"[0-9a-f]{64}", line)[0] for line in printed[3:]]

    assert printed[0] == "Verified OK"
    assert len(digests) == 8
    assert digests[::2] == digests[1::2]
