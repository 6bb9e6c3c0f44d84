"""Where things lie in the artifacts bucket, and how they get there: written once, kept when they are there already.

evidence/<group>/<version>/                                the pack of one model package, and the decision about it
ledger/<environment>/entry-<number>.json                   one thing that happened to traffic, its signature beside it; 0.1.0 wrote
ledger/<environment>/<time>-<execution>.json
images/<digest>/sbom.json                                  the bill of materials of an image
models/<digest>/model.tar.gz and output.tar.gz             the artifact, and the report beside it
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import naming
from pipelines.evidence import document
from pipelines.evidence.document import DocumentError
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

EVIDENCE, PAGE, SBOM, CARD, REPORT = "evidence.json", "evidence.html", "sbom.json", "model-card.json", "report.json"
SIGNATURE, ATTESTATIONS = f"{EVIDENCE}.sig", "evidence.intoto.jsonl"
PUBLIC_KEY, RELEASE_KEY = "public-key.pem", "release-key.pem"  # of what is measured, and of what is decided
FILES = (EVIDENCE, SIGNATURE, ATTESTATIONS, PAGE, SBOM, CARD, REPORT, PUBLIC_KEY, RELEASE_KEY)
APPROVAL, APPROVAL_ATTESTATION = "approval.json", "approval.intoto.jsonl"
DECISION = (APPROVAL, f"{APPROVAL}.sig", APPROVAL_ATTESTATION)  # there once somebody said yes
CONTENT_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "html": "text/html; charset=utf-8",
    "sig": "text/plain",
    "pem": "application/x-pem-file",
}
MISSING = ("NoSuchKey", "404", "NotFound")
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")  # S3's answers to a conditional write that comes too late
ENTRY = "entry-"
CHUNK = 1 << 20


def group_and_version(model_package_arn: str) -> tuple[str, str]:
    """A model package's group and version.

    >>> group_and_version("arn:aws:sagemaker:eu-west-1:111111111111:model-package/group/7")
    ('group', '7')
    """
    _, group, version = model_package_arn.rpartition(":")[2].split("/")
    return group, version


def folder(artifacts: str, model_package_arn: str) -> str:
    """The `s3://…` folder, without a slash at its end, of a model package's pack. `artifacts` is `s3://bucket`."""
    return "/".join([artifacts.rstrip("/"), naming.EVIDENCE, *group_and_version(model_package_arn)])


def evidence_uri(artifacts: str, model_package_arn: str) -> str:
    """Where a model package's `evidence.json` lies; its signature is beside it."""
    return f"{folder(artifacts, model_package_arn)}/{EVIDENCE}"


def approval_uri(artifacts: str, model_package_arn: str) -> str:
    """Where the decision about a model package lies; its signature is beside it."""
    return f"{folder(artifacts, model_package_arn)}/{APPROVAL}"


def bill_of_materials(artifacts: str, image_uri: str) -> str:
    """Where the bill of materials of an image lies."""
    return f"{artifacts.rstrip('/')}/{naming.IMAGES}/{image_uri.rpartition('sha256:')[2]}/{SBOM}"


def beside(uri: str, name: str) -> str:
    """The object `name` in the folder of `uri`."""
    return f"{uri.rpartition('/')[0]}/{name}"


def report_of(model_data: str) -> str:
    """Where the report of a `model.tar.gz` lies: SageMaker packs a job's other output beside it."""
    return beside(model_data, "output.tar.gz")


@dataclass(frozen=True)
class Lock:
    """How long an object can be neither overwritten nor deleted: `mode` is S3's, `GOVERNANCE` or `COMPLIANCE`."""

    mode: str
    until: datetime


@dataclass(frozen=True)
class Measured:
    """An object as it lies there: the SHA-256 of its bytes, and its version in S3."""

    sha256: str
    version: str


@dataclass(frozen=True)
class Stored(Measured):
    """An object with its bytes."""

    content: bytes


def fetch(s3: S3Client, uri: str) -> Stored | None:
    """An object; None when there is no such object."""
    if (answer := _get(s3, uri)) is None:
        return None
    content = bytes(answer["Body"].read())
    return Stored(document.sha256(content), answer.get("VersionId", ""), content)


def read(s3: S3Client, uri: str) -> bytes | None:
    """An object's bytes; None when there is no such object."""
    stored = fetch(s3, uri)
    return stored.content if stored else None


def write(s3: S3Client, uri: str, content: bytes) -> None:
    """Store an object, unless it holds exactly this already."""
    if read(s3, uri) != content:
        kind = CONTENT_TYPES.get(uri.rpartition(".")[2], "application/octet-stream")
        bucket, key = _place(uri)
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=kind)


def measure(s3: S3Client, uri: str) -> Measured | None:
    """Read an object in pieces; None when there is no such object."""
    if (answer := _get(s3, uri)) is None:
        return None
    digest = hashlib.sha256()
    while piece := answer["Body"].read(CHUNK):
        digest.update(piece)
    return Measured(digest.hexdigest(), answer.get("VersionId", ""))


def stored_since(s3: S3Client, uri: str) -> datetime | None:
    """Since when S3 has held an object's bytes, as S3 says it; None when there is no such object."""
    answer = _get(s3, uri)
    return answer["LastModified"] if answer else None


def copy(s3: S3Client, source: str, target: str, version: str) -> None:
    """Copy one version of an object inside S3, in as many parts as its size asks for."""
    (bucket, key), (to_bucket, to_key) = _place(source), _place(target)
    s3.copy({"Bucket": bucket, "Key": key, "VersionId": version}, to_bucket, to_key)


def members(archive: bytes, *names: str) -> dict[str, bytes]:
    """Files out of a `.tar.gz`, by name; those that are not there are left out.

    Raises:
        DocumentError: it is no such archive.
    """
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
            for file in files:
                name = file.name.removeprefix("./")
                if name in names and (content := files.extractfile(file)):
                    members[name] = content.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DocumentError(f"no archive: {error}") from error
    return members


def json_member(archive: bytes, name: str, uri: str) -> dict[str, Any]:
    """A JSON object out of the `.tar.gz` that lies at `uri`.

    Raises:
        DocumentError: there is none, or it is something else.
    """
    try:
        return document.read_json(members(archive, name)[name], name)
    except KeyError as error:
        raise DocumentError(f"{uri} holds no {name}") from error
    except DocumentError as error:
        raise DocumentError(f"{uri}: {error}") from error


def write_signed(s3: S3Client, signer: Signer, uri: str, content: bytes) -> None:
    """Store an object and, beside it as `.sig`, its signature. A signature that holds is kept. Run again, it repairs what a kill left."""
    write(s3, uri, content)
    if not signed(s3, signer, uri, content):
        write(s3, f"{uri}.sig", (signer.sign(content) + "\n").encode())


def append(s3: S3Client, signer: Signer, uri: str, content: bytes, lock: Lock) -> bool:
    """Store an object where none is yet, its signature first, both under a lock; false where somebody else was faster.

    Of several that write at once, one does: S3 decides. The signature's name has the content's digest in it, so that nobody's signature
    takes the place of another's, and whoever finds the object finds it signed, even if this is killed on the way.
    """
    bucket, key = _place(uri)
    locked: Any = {"Bucket": bucket, "ObjectLockMode": lock.mode, "ObjectLockRetainUntilDate": lock.until}
    signature = signature_of(uri, content)
    if read(s3, signature) is None:
        s3.put_object(**locked, Key=_place(signature)[1], Body=(signer.sign(content) + "\n").encode(), ContentType=CONTENT_TYPES["sig"])
    try:
        s3.put_object(**locked, Key=key, Body=content, ContentType=CONTENT_TYPES["json"], IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] not in TAKEN:
            raise
        return False
    return True


def signed(s3: S3Client, signer: Signer, uri: str, content: bytes, signature_uri: str | None = None) -> bool:
    """Whether the signature beside `uri`, or at `signature_uri`, is there and holds for `content`."""
    signature = read(s3, signature_uri or f"{uri}.sig")
    return signature is not None and signer.verify(content, signature.decode(errors="replace"))


def signature_of(uri: str, content: bytes) -> str:
    """Where the signature of an entry of the ledger lies; those of 0.1.0 have theirs at `<uri>.sig`."""
    named = uri.rpartition("/")[2].startswith(ENTRY)
    return f"{uri}.{document.sha256(content)[:16]}.sig" if named else f"{uri}.sig"


def ledger_objects(s3: S3Client, artifacts: str, environment: str) -> dict[str, int]:
    """Every entry that an environment's ledger has or had, oldest first: its URI, and how often it was written or deleted."""
    bucket, _ = _place(artifacts)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{naming.LEDGER}/{environment}/")
    keys = Counter(each["Key"] for page in pages for each in (*page.get("Versions", []), *page.get("DeleteMarkers", [])))
    return {f"s3://{bucket}/{key}": keys[key] for key in sorted(keys) if key.endswith(".json")}


def ledger_entry(artifacts: str, environment: str, number: int) -> str:
    """Where an entry of the ledger lies; entries sort by their number, after those of 0.1.0."""
    return f"{artifacts.rstrip('/')}/{naming.LEDGER}/{environment}/{ENTRY}{number:08d}.json"


def _get(s3: S3Client, uri: str) -> GetObjectOutputTypeDef | None:
    bucket, key = _place(uri)
    try:
        return s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
