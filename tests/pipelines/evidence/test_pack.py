"""Where things lie, and that what is there already is left alone."""

from __future__ import annotations

import io
import tarfile

import pytest

import naming
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, LedgerEntry
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.fakes import archive
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

    assert (pack.read(staged.s3, uri), pack.sha256(staged.s3, uri)) == (None, None)
    assert not pack.signed(staged.s3, staged.signer, uri, b"")


def test_the_digest_of_an_object_that_does_not_fit_into_one_piece(staged: World) -> None:
    content = b"0123456789" * (pack.CHUNK // 4)
    pack.write(staged.s3, f"{staged.artifacts}/large", content)

    assert pack.sha256(staged.s3, f"{staged.artifacts}/large") == document.sha256(content)


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
        written.append(pack.ledger_entry(staged.artifacts, entry))
        pack.write_signed(staged.s3, staged.signer, written[-1], document.canonical(entry))
        assert document.load_entry(staged.read(written[-1])) == entry

    assert written[0] == f"{staged.artifacts}/ledger/production/20261121T090000Z-b.json"
    assert list(pack.ledger_entries(staged.s3, staged.artifacts, "production")) == [written[1], written[0]]
    assert list(pack.ledger_entries(staged.s3, staged.artifacts, "staging")) == []
