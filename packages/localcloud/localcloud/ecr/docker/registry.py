"""What an image is called in ECR: its tag, and the digest under which it is pushed."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import quote

from localcloud.ecr.docker import Refused, base

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
REFERENCE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<repository>[\w./-]+):(?P<tag>[\w.-]+)")

BY_DIGEST = re.compile(REFERENCE.pattern.rpartition(":(?P<tag>")[0] + r"@(?P<digest>sha256:[0-9a-f]{64})")


def tag(name: str, identity: str, store: Path) -> None:
    """Let `name` stand for the image."""
    _write(_tag(name, store), identity)


def push(name: str, store: Path) -> str:
    """Register the tagged image in ECR; returns its digest."""
    named = reference(name)
    if not _tag(name, store).exists():
        raise Refused(f"no image is tagged {name}: docker build -t {name} first")
    identity = _tag(name, store).read_text()
    config = (store / "images" / identity.removeprefix("sha256:") / "config.json").read_bytes()
    layer = {
        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "size": 1,
        "digest": f"sha256:{json.loads(config)['contents']}",
    }
    about = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": identity}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": [layer]}, indent=3)
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    _write(store / "digests" / digest, identity)
    return register(named, manifest, digest)


def register(named: re.Match[str], manifest: str, digest: str) -> str:
    """Register a manifest in ECR under a reference, as whoever the environment's AWS_* say; returns its digest. Raises Refused."""
    import boto3  # here, because most commands do without it, and it takes its time
    from botocore.exceptions import ClientError

    ecr = boto3.client("ecr", region_name=named["region"])
    try:
        put = ecr.put_image(
            registryId=named["account"],
            repositoryName=named["repository"],
            imageTag=named["tag"],
            imageManifest=manifest,
            imageManifestMediaType=MANIFEST,
            imageDigest=digest,
        )
    except ClientError as problem:
        raise Refused(f"push {named[0]}: {problem.response['Error']['Code']}: {problem.response['Error']['Message']}") from problem
    if put["image"]["registryId"] != named["account"]:
        raise Refused(f"push {named[0]}: these credentials are of account {put['image']['registryId']}")
    return digest


def pull(name: str) -> str:
    """See whether whoever the environment's AWS_* say may have an image of ECR, by its digest; or what stands in for a base."""
    match = BY_DIGEST.fullmatch(name)
    if match is None:
        if base.version(name) is None:
            raise Refused(f"pull {name}: the stand-in has no registry but ECR, and stands in for images of Python only")
        return name
    import boto3  # as above
    from botocore.exceptions import ClientError

    ecr = boto3.client("ecr", region_name=match["region"])
    wanted = {"registryId": match["account"], "repositoryName": match["repository"]}
    try:
        failures = ecr.batch_get_image(**wanted, imageIds=[{"imageDigest": match["digest"]}])["failures"]
    except ClientError as problem:
        raise Refused(f"pull {name}: {problem.response['Error']['Code']}: {problem.response['Error']['Message']}") from problem
    if failures:
        raise Refused(f"pull {name}: {failures[0]['failureReason']}")
    return name


def configuration(name: str, store: Path) -> str:
    """config.json of an image that was built here and is named by its digest in ECR."""
    match = BY_DIGEST.fullmatch(name)
    identity = store / "digests" / match["digest"] if match else None
    if identity is None or not identity.exists():
        raise Refused(f"no such image: {name}")
    return (store / "images" / identity.read_text().removeprefix("sha256:") / "config.json").read_text()


def _tag(name: str, store: Path) -> Path:
    return store / "tags" / quote(name, safe="")


def reference(name: str) -> re.Match[str]:
    """The parts of an image's name in ECR. Raises Refused."""
    match = REFERENCE.fullmatch(name)
    if not match:
        raise Refused(f"{name} does not name an ECR image (ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG)")
    return match


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
