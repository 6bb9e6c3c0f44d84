"""Build's steps one after the other, with the laptop's docker and a registry that scans: what one says, the next believes."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

import naming
from config import Images
from localcloud.ecr.docker import BIN
from localcloud.testing.in_process import Aws
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS, put_facts
from tests.support.programs import run_step
from tests.support.shell import variables_of


@pytest.mark.slow
def test_an_image_its_scan_and_its_bill(aws: Aws, tree: Path, tmp_path: Path) -> None:
    home = CONFIG.toolchain
    keys = {**aws.cloud.administrator(home.id), "AWS_DEFAULT_REGION": home.region}
    session: Any = boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys.get("AWS_SESSION_TOKEN"), home.region)
    s3, ssm, ecr = (session.client(service, endpoint_url=aws.cloud.url) for service in ("s3", "ssm", "ecr"))
    repository = ecr.create_repository(
        repositoryName=naming.image_repository(CONFIG, MODEL), imageScanningConfiguration={"scanOnPush": True}
    )["repository"]["repositoryUri"]
    put_facts(ssm, replace(FACTS, image_repository=repository))
    s3.create_bucket(Bucket=FACTS.artifacts_bucket, CreateBucketConfiguration={"LocationConstraint": home.region})
    docker = {"LOCALCLOUD_IMAGES": str(aws.cloud.folder("images")), "LOCALCLOUD_PYTHON": sys.executable}
    variables = {**keys, **docker, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def step(name: str, *arguments: str) -> str:
        ran = run_step(tree, name, "--model", MODEL, *arguments, url=aws.cloud.url, **variables)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    first, again = (step("build_image", "--commit", "c0ffee", "--created", "2026-11-29T12:00:00Z") for _ in range(2))
    image, base = variables_of(first, tmp_path, "IMAGE_URI", "BASE_IMAGE")
    scan = str(tmp_path / "scan.json")
    step("scan_image", "--image-uri", image, "--report", scan)
    stored = json.loads(step("bill_of_materials", "--image-uri", image, "--base-image", base, "--scan", scan))["uri"]
    bucket, _, key = stored.removeprefix("s3://").partition("/")
    bill = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    said = {each["name"].partition(":")[2]: each["value"] for each in bill["metadata"]["component"]["properties"]}

    assert again == first  # of the labels of an image that is there
    assert re.fullmatch(rf"{re.escape(Images().base)}@sha256:[0-9a-f]{{64}}", base)
    assert (said["base-image"], said["base-image-pinned"], said["scan-refused-from"]) == (base, "by digest", "CRITICAL")
    assert said["scan-completed"].startswith("20")
