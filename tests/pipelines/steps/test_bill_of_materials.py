"""The bill of materials of an image, as a stage stores it."""

from __future__ import annotations

import json
from pathlib import Path

import naming
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.facts import put_facts
from tests.support.moto_server import Clients
from tests.support.programs import run_step

BASE = f"mirror.acme.test/python:3.11@sha256:{'b' * 64}"
IMAGE = f"{sample.REPOSITORY}@sha256:{'a' * 64}"


def test_it_is_stored_under_the_images_digest_once_and_for_all(server: str, client: Clients, tree: Path, tmp_path: Path) -> None:
    scan = tmp_path / "scan.json"
    scan.write_text("{}")
    facts = put_facts(client("ssm"))
    s3, key = client("s3"), f"{naming.IMAGES}/{'a' * 64}/sbom.json"
    s3.create_bucket(Bucket=facts.artifacts_bucket, CreateBucketConfiguration={"LocationConstraint": CONFIG.toolchain.region})
    first, again = (
        run_step(tree, "bill_of_materials", "--model", MODEL, "--image-uri", IMAGE, "--base-image", BASE, "--scan", str(scan), url=server)
        for _ in range(2)
    )
    stored = json.load(s3.get_object(Bucket=facts.artifacts_bucket, Key=key)["Body"])
    uri = f"s3://{facts.artifacts_bucket}/{key}"
    properties = {each["name"]: each["value"] for each in stored["metadata"]["component"]["properties"]}

    assert properties[f"{CONFIG.project}:base-image"] == BASE
    assert json.loads(first.stdout) == {"uri": uri, "components": len(stored["components"])}
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, f"{uri} is there already\n")


def test_an_image_without_a_digest_is_refused_in_one_line(tree: Path) -> None:
    ran = run_step(
        tree,
        "bill_of_materials",
        "--model",
        MODEL,
        "--image-uri",
        "host/repository:tag",
        "--base-image",
        "",
        "--scan",
        "none.json",
        url="http://127.0.0.1:1",
    )

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "bill_of_materials: --image-uri: found 'host/repository:tag': accepted is an image by its digest\n"
