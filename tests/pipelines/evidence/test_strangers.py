"""Somebody without this repository verifies a pack by the recipe of docs/auditor.md, and reaches the road's own answer."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import naming
from pipelines.evidence import document, envelope, pack
from pipelines.evidence.publish import definition_of
from tests.reference import CONFIG, ROOT
from tests.support.world import MODEL, World

EMPTY = {"PATH": "/usr/bin:/bin"}
TOOLS = ("sh", "openssl", "jq", "sha256sum", "base64", "sed")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool, path=EMPTY["PATH"]) is None for tool in TOOLS), reason=f"one of {', '.join(TOOLS)} is not installed"
)
OLDER = "99999999-2222-3333-4444-555555555555"
Tampered = Callable[[World], AbstractContextManager[None]]


def documented() -> tuple[str, str]:
    """The two scripts of the page: what is brought out of AWS, and how it is verified."""
    page = (ROOT / "docs/auditor.md").read_text().partition("## Verifying without this repository")[2].partition("\n## ")[0]
    bring, verify = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return bring, verify


def exported(world: World, folder: Path) -> Path:
    """What the first script brings: the pack as far as it is there, what it binds, and the keys that KMS has."""
    for name in (*pack.FILES, *pack.DECISION):
        if content := pack.read(world.s3, pack.beside(world.uri, name)):
            (folder / name).write_bytes(content)
    try:
        bound = document.load_evidence((folder / pack.EVIDENCE).read_bytes())
    except document.DocumentError:
        return folder
    for name, uri in (("data", bound.data.uri), ("model.tar.gz", bound.artifact.uri), ("output.tar.gz", bound.report.uri)):
        (folder / name).write_bytes(pack.read(world.s3, uri) or b"")
    (folder / "definition.json").write_text(definition_of(world.sagemaker, bound.training.execution_arn))
    (folder / "evidence.pem").write_text(world.signer.public_key())
    (folder / "release.pem").write_text(world.releaser.public_key())
    return folder


def verified(folder: Path) -> subprocess.CompletedProcess[str]:
    """The second script, where there is nothing but those tools and the files."""
    return subprocess.run(["sh", "-c", documented()[1]], cwd=folder, env=EMPTY, capture_output=True, text=True, check=False)


def swapped(name: str) -> Tampered:
    """Another object in the place of one that the evidence binds."""

    def tamper(world: World) -> AbstractContextManager[None]:
        bound = world.evidence
        uris = {"data": bound.data.uri, "model": bound.artifact.uri, "report": bound.report.uri}
        return world.holding(uris.get(name, pack.beside(world.uri, name)), b"another")

    return tamper


def edited(name: str, old: bytes, new: bytes) -> Tampered:
    """A file of the pack, changed after it was signed."""

    def tamper(world: World) -> AbstractContextManager[None]:
        uri = pack.beside(world.uri, name)
        content = world.read(uri).replace(old, new)
        assert content != world.read(uri)
        return world.holding(uri, content)

    return tamper


def forged(name: str) -> Tampered:
    """An envelope whose payload is another, under the signature that it had."""

    def tamper(world: World) -> AbstractContextManager[None]:
        uri = pack.beside(world.uri, name)
        *lines, last = world.read(uri).splitlines(keepends=True)
        sealed = json.loads(last)
        payload = base64.b64decode(sealed["payload"]).replace(b"PASSED", b"passed")
        other = json.dumps({**sealed, "payload": base64.b64encode(payload).decode()}).encode() + b"\n"
        assert json.loads(other) != sealed
        return world.holding(uri, b"".join([*lines, other]))

    return tamper


def sealed_by_the_other_key(name: str, signer: str) -> Tampered:
    """The same statements, sealed with a key of the model that is not due."""

    def tamper(world: World) -> AbstractContextManager[None]:
        uri = pack.beside(world.uri, name)
        said = [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in world.read(uri).splitlines()]
        return world.holding(uri, envelope.seal(getattr(world, signer), said))

    return tamper


TAMPERED: dict[str, Tampered] = {
    "data": swapped("data"),
    "model": swapped("model"),
    "report": swapped("report"),
    "bill of materials": swapped(pack.SBOM),
    "evidence": edited(pack.EVIDENCE, b"0.809346", b"0.909346"),
    "signature of evidence": swapped(pack.SIGNATURE),
    "evidence signed with the release key": lambda world: world.signed(world.releaser),
    "evidence with another definition": lambda world: world.signed(
        world.signer, training=world.evidence.training.model_copy(update={"definition_sha256": "0" * 64})
    ),
    "approver": edited(pack.APPROVAL, b"user/ada", b"user/eve"),
    "signature of approval": swapped(f"{pack.APPROVAL}.sig"),
    "no approval": lambda world: world.holding(world.approval_uri, None),
    "approval signed with the evidence key": lambda world: world.decided(world.signer),
    "approval of another execution": lambda world: world.decided(world.releaser, execution=OLDER),
    "approval of another package": lambda world: world.decided(world.releaser, model_package_arn=f"{world.arn}1"),
    "approval of another commit": lambda world: world.decided(world.releaser, commit="d" * 40),
    "approval of other evidence": lambda world: world.decided(world.releaser, evidence_sha256="ab" * 32),
    "no attestations": lambda world: world.holding(pack.beside(world.uri, pack.ATTESTATIONS), None),
    "attestation": forged(pack.ATTESTATIONS),
    "attestation of the approval": forged(pack.APPROVAL_ATTESTATION),
    "attestation sealed with the release key": sealed_by_the_other_key(pack.ATTESTATIONS, "releaser"),
    "attestation of the approval sealed with the evidence key": sealed_by_the_other_key(pack.APPROVAL_ATTESTATION, "signer"),
    "half of the attestations": lambda world: world.holding(
        pack.beside(world.uri, pack.ATTESTATIONS), world.read(pack.beside(world.uri, pack.ATTESTATIONS)).splitlines(keepends=True)[0]
    ),
}


def test_a_sound_pack_holds_for_a_stranger_as_it_does_for_the_road(approved: World, tmp_path: Path) -> None:
    done = verified(exported(approved, tmp_path))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Verified OK") == 5
    assert approved.wrong() == set()


@pytest.mark.parametrize("tampered", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_pack_is_refused_by_a_stranger_as_it_is_by_the_road(approved: World, tmp_path: Path, tampered: Tampered) -> None:
    with tampered(approved):
        done, wrong = verified(exported(approved, tmp_path)), approved.wrong()

    assert wrong
    assert done.returncode != 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not installed")
def test_what_the_stranger_brings_out_of_aws_is_what_is_verified(approved: World, evidence_server: str, tmp_path: Path) -> None:
    kms, keys = approved.signer.kms, {"EVIDENCE_KEY": naming.evidence_key, "RELEASE_KEY": naming.release_key}
    names = {variable: alias(CONFIG, MODEL.name) for variable, alias in keys.items()}
    for alias, signer in zip(names.values(), (approved.signer, approved.releaser), strict=True):
        kms.create_alias(AliasName=alias, TargetKeyId=signer.key)
    about = {"PACK": approved.uri.rpartition("/")[0], "AWS_ENDPOINT_URL": evidence_server, "AWS_DEFAULT_REGION": CONFIG.toolchain.region}
    brought = subprocess.run(
        ["sh", "-ec", documented()[0]], cwd=tmp_path, env={**os.environ, **names, **about}, capture_output=True, text=True, check=False
    )
    assert brought.returncode == 0, brought.stderr

    done = verified(tmp_path)
    assert done.returncode == 0, done.stderr
