"""Where things lie in the artifacts bucket, and how they get there: written once, kept when they are there already.

evidence/<group>/<version>/                                the pack of one model package, and the decision about it
ledger/<environment>/<time>-<execution>.json               one deployment, with its signature beside it
images/<digest>/sbom.json                                  the bill of materials of an image
<where training wrote>/model.tar.gz and output.tar.gz      the artifact, and the report beside it
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import naming
from pipelines.evidence import document
from pipelines.evidence.document import DocumentError, LedgerEntry
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

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


def read(s3: S3Client, uri: str) -> bytes | None:
    """An object's bytes; None when there is no such object."""
    bucket, key = _place(uri)
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None


def write(s3: S3Client, uri: str, content: bytes) -> None:
    """Store an object, unless it holds exactly this already."""
    if read(s3, uri) != content:
        kind = CONTENT_TYPES.get(uri.rpartition(".")[2], "application/octet-stream")
        bucket, key = _place(uri)
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=kind)


def stored(s3: S3Client, uri: str) -> datetime | None:
    """Since when S3 has held an object's bytes, as S3 says it; None when there is no such object."""
    bucket, key = _place(uri)
    try:
        return s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None


def sha256(s3: S3Client, uri: str) -> str | None:
    """The SHA-256 of an object, read in pieces; None when there is no such object."""
    bucket, key = _place(uri)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None
    digest = hashlib.sha256()
    while piece := body.read(CHUNK):
        digest.update(piece)
    return digest.hexdigest()


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


def add_signed(s3: S3Client, signer: Signer, uri: str, content: bytes) -> None:
    """Store an object that is not there yet, its signature first: whoever finds it finds it signed, even if this is killed on the way."""
    if not signed(s3, signer, uri, content):
        write(s3, f"{uri}.sig", (signer.sign(content) + "\n").encode())
    write(s3, uri, content)


def signed(s3: S3Client, signer: Signer, uri: str, content: bytes) -> bool:
    """Whether the signature beside `uri` is there and holds for `content`."""
    signature = read(s3, f"{uri}.sig")
    return signature is not None and signer.verify(content, signature.decode(errors="replace"))


def ledger_entries(s3: S3Client, artifacts: str, environment: str) -> Iterator[str]:
    """The URIs of an environment's ledger entries, oldest first."""
    bucket, _ = _place(artifacts)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{naming.LEDGER}/{environment}/")
    keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
    yield from (f"s3://{bucket}/{key}" for key in keys if key.endswith(".json"))


def ledger_entry(artifacts: str, entry: LedgerEntry) -> str:
    """Where an entry of the ledger lies; entries sort by time."""
    stamp = entry.time.replace("-", "").replace(":", "")
    return f"{artifacts.rstrip('/')}/{naming.LEDGER}/{entry.environment}/{stamp}-{entry.execution}.json"


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
