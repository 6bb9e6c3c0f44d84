"""Where things lie, and that what is there already is left alone."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

import naming
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, LedgerEntry
from pipelines.evidence.pack import Lock, Stored
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.fakes import archive
from tests.support.ledger import write_old
from tests.support.world import World


def test_where_things_lie() -> None:
    image = f"{sample.REPOSITORY}@sha256:{'5d' * 32}"
    group = naming.model_package_group(CONFIG, MODEL)

    assert pack.evidence_uri("s3://b", f"{sample.ARN}/7") == f"s3://b/{naming.EVIDENCE}/{group}/7/evidence.json"
    assert pack.bill_of_materials("s3://b/", image) == f"s3://b/{naming.IMAGES}/{'5d' * 32}/sbom.json"
    assert pack.report_of("s3://b/runs/1/output/model.tar.gz") == "s3://b/runs/1/output/output.tar.gz"
    assert pack.approval_uri("s3://b", f"{sample.ARN}/7") == f"s3://b/{naming.EVIDENCE}/{group}/7/approval.json"


def test_an_object_is_written_once(staged: World) -> None:
    uri = f"{staged.artifacts}/evidence/g/1/evidence.json"
    for content in (b"{}", b"{}", b"[]"):
        pack.write(staged.s3, uri, content)

    assert pack.read(staged.s3, uri) == b"[]"
    assert staged.versions == {"evidence.json": 2}
    assert staged.s3.head_object(Bucket=staged.artifacts[5:], Key="evidence/g/1/evidence.json")["ContentType"] == "application/json"


def test_what_is_not_there(staged: World) -> None:
    uri = f"{staged.artifacts}/nothing.json"

    assert (pack.read(staged.s3, uri), pack.measure(staged.s3, uri)) == (None, None)
    assert not pack.signed(staged.s3, staged.signer, uri, b"")


def test_the_digest_of_an_object_that_does_not_fit_into_one_piece(staged: World) -> None:
    content = b"0123456789" * (pack.CHUNK // 4)
    pack.write(staged.s3, f"{staged.artifacts}/large", content)

    measured = pack.measure(staged.s3, f"{staged.artifacts}/large")
    assert measured
    assert measured.sha256 == document.sha256(content)
    assert pack.fetch(staged.s3, f"{staged.artifacts}/large") == Stored(measured.sha256, measured.version, content)


def test_a_signature_that_holds_is_kept_and_any_other_is_replaced(staged: World) -> None:
    uri = f"{staged.artifacts}/evidence/g/1/evidence.json"
    for _ in range(2):
        pack.write_signed(staged.s3, staged.signer, uri, b"one")
    assert staged.versions == {"evidence.json": 1, "evidence.json.sig": 1}

    pack.write(staged.s3, uri, b"two")  # killed before the signature
    assert not pack.signed(staged.s3, staged.signer, uri, b"two")
    pack.write_signed(staged.s3, staged.signer, uri, b"two")

    assert pack.signed(staged.s3, staged.signer, uri, b"two")
    assert staged.versions == {"evidence.json": 2, "evidence.json.sig": 2}


def test_members_of_an_archive() -> None:
    made = archive(evaluation={"a": 1}, metadata={"b": 2})

    assert pack.members(made, "metadata.json", "data.json") == {"metadata.json": b'{"b": 2}'}
    assert pack.json_member(made, "metadata.json", "s3://b/model.tar.gz") == {"b": 2}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no archive", "s3://b/m: no archive: "),
        (archive(evaluation=1)[:-20], "s3://b/m: no archive: "),
        (archive(evaluation=1), "s3://b/m: evaluation.json: not a JSON object"),
        (archive(metadata={}), "s3://b/m holds no evaluation.json"),
    ],
    ids=["text", "cut", "no object", "another file"],  # an archive holds the time
)
def test_an_archive_that_holds_something_else(content: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        pack.json_member(content, "evaluation.json", "s3://b/m")


def test_what_is_not_json() -> None:
    with pytest.raises(DocumentError, match=r"sbom.json: not JSON: "):
        document.read_json(b"{", "sbom.json")


def test_a_folder_is_no_member() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        folder = tarfile.TarInfo("report.json")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)

    assert pack.members(made.getvalue(), "report.json") == {}


def test_the_ledger_is_in_order_and_each_environment_has_its_own(staged: World) -> None:
    evidence = sample.approved()
    facts = {"model_package_arn": evidence.model_package_arn, "commit": sample.COMMIT, "data_sha256": sample.DATA}
    names = {"endpoint": "e", "endpoint_config": "c", "approved_by": "ada", "reason": "good", "image_uri": evidence.image.uri}
    written = []
    for environment, time, execution in (
        ("production", "2026-11-21T09:00:00Z", "b"),
        ("production", "2026-02-01T23:59:59Z", "a"),
        ("canada", "2026-03-01T00:00:00Z", "c"),
    ):
        content = {"version": 1, "action": "deployed", "model": "m", "environment": environment, "time": time, "execution": execution}
        entry = document.parse(LedgerEntry, {**content, **facts, **names, "evidence_sha256": "ab" * 32}, "entry")
        written.append(write_old(staged.s3, staged.signer, staged.artifacts, entry))
        assert document.load_entry(staged.read(written[-1])) == entry

    number, lock = pack.ledger_entry(staged.artifacts, "production", 3), Lock("GOVERNANCE", datetime.now(UTC) + timedelta(days=1))
    assert pack.append(staged.s3, staged.signer, number, b"new", lock) is True
    assert written[0] == f"{staged.artifacts}/ledger/production/20261121T090000Z-b.json"
    assert pack.ledger_objects(staged.s3, staged.artifacts, "production") == {written[1]: 1, written[0]: 1, number: 1}
    assert pack.ledger_objects(staged.s3, staged.artifacts, "staging") == {}


def test_what_is_appended_is_there_once_and_cannot_be_deleted(staged: World) -> None:
    uri, lock = f"{staged.artifacts}/ledger/production/entry-00000001.json", Lock("GOVERNANCE", datetime.now(UTC) + timedelta(days=1))
    first, second = (pack.append(staged.s3, staged.signer, uri, content, lock) for content in (b"mine", b"another's"))
    version = staged.s3.head_object(Bucket=staged.artifacts[5:], Key="ledger/production/entry-00000001.json")["VersionId"]

    assert (first, second) == (True, False)
    assert staged.read(uri) == b"mine"
    assert pack.signed(staged.s3, staged.signer, uri, b"mine", pack.signature_of(uri, b"mine"))
    with pytest.raises(ClientError, match="AccessDenied"):
        staged.s3.delete_object(Bucket=staged.artifacts[5:], Key="ledger/production/entry-00000001.json", VersionId=version)
