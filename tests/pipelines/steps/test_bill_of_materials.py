"""What an image holds, as CycloneDX says it: the lock's packages, the same bytes every time, and what is not listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from pipelines.steps.bill_of_materials import base_image, bill, pinned
from tests.pipelines.steps.conftest import Clients

ROOT = Path(__file__).parents[3]
IMAGE = f"111111111111.dkr.ecr.eu-west-1.amazonaws.com/paved-road/lead-scoring@sha256:{'a' * 64}"
BASE = "python:3.11-slim-bookworm"
LOCK = f"""# made by uv
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{"1" * 64} \\
    --hash=sha256:{"2" * 64}
    # via scipy
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{"3" * 64}
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{"4" * 64}
uvloop==0.23.0 ; sys_platform != 'win32' \\
    --hash=sha256:{"5" * 64}
xgboost-cpu==3.2.0 \\
    --hash=sha256:{"6" * 64}
"""


def made(lock: str = LOCK, base: str = BASE) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(bill(IMAGE, lock, base))
    return document


def versions(document: dict[str, Any]) -> list[str]:
    return [f"{one['name']} {one['version']}" for one in document["components"]]


def test_what_pip_installs_in_the_image_is_listed_and_nothing_else() -> None:
    assert versions(made()) == ["numpy 2.4.6", "uvloop 0.23.0", "xgboost-cpu 3.2.0"]
    assert versions(made(base="python:3.12-slim")) == ["numpy 2.5.5", "uvloop 0.23.0", "xgboost-cpu 3.2.0"]


def test_what_cannot_be_told_is_listed() -> None:
    assert versions(made(base="acme/base:7")) == ["numpy 2.4.6", "numpy 2.5.5", "uvloop 0.23.0", "xgboost-cpu 3.2.0"]


def test_a_package_is_known_by_its_url_and_hashes() -> None:
    numpy = made()["components"][0]

    assert numpy["purl"] == "pkg:pypi/numpy@2.4.6"
    assert numpy["hashes"] == [{"alg": "SHA-256", "content": digit * 64} for digit in "12"]


def test_the_image_is_named_by_its_digest_and_what_is_missing_is_said() -> None:
    about = made()["metadata"]["component"]
    said = {one["name"]: one["value"] for one in about["properties"]}

    assert (about["type"], about["version"]) == ("container", f"sha256:{'a' * 64}")
    assert said == {
        "paved-road:base-image": BASE,
        "paved-road:base-image-pinned": "by tag",
        "paved-road:not-listed": "Python itself and the operating-system packages of the base image",
    }
    pinned_base = made(base=f"python:3.11@sha256:{'b' * 64}")["metadata"]["component"]["properties"]
    assert {"name": "paved-road:base-image-pinned", "value": "by digest"} in pinned_base


def test_the_image_depends_on_everything_in_it() -> None:
    document = made()
    (all_of_it,) = [one["dependsOn"] for one in document["dependencies"] if one["ref"] == IMAGE]

    assert all_of_it == [one["bom-ref"] for one in document["components"]]


def test_the_same_image_gives_the_same_bytes_and_another_one_others() -> None:
    again = bill(IMAGE, LOCK, BASE)

    assert again == bill(IMAGE, LOCK, BASE)
    assert json.loads(again)["serialNumber"] != json.loads(bill(IMAGE.replace("a" * 64, "b" * 64), LOCK, BASE))["serialNumber"]


def test_the_models_own_image_has_a_bill_that_cyclonedx_accepts() -> None:
    folder = ROOT / "model_code" / "lead_scoring"
    lock = (folder / "requirements.lock").read_text()
    content = bill(IMAGE, lock, base_image((folder / "Dockerfile").read_text()))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    names = [one["name"] for one in json.loads(content)["components"]]
    assert {"numpy", "onnxruntime", "pydantic", "xgboost-cpu"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("FROM python:3.11", "python:3.11"),
        ("ARG BASE=python:3.11-slim\nFROM ${BASE}\n", "python:3.11-slim"),
        ("ARG TAG=3.11\nFROM --platform=linux/amd64 python:$TAG AS build\nFROM build\n", "python:3.11"),
        ("FROM golang:1 AS tools\nFROM python:3.11\nCOPY --from=tools /x /x\n", "python:3.11"),
    ],
)
def test_the_base_image_is_what_the_last_stage_is_built_on(dockerfile: str, base: str) -> None:
    assert base_image(dockerfile) == base


@pytest.mark.parametrize(
    ("lock", "said"), [("", "pins no package"), ("numpy==1.0\n", "numpy has no hash"), ("numpy>=1.0\n", "pins no package")]
)
def test_a_lock_that_does_not_pin_is_refused(lock: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bill(IMAGE, lock, BASE)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8})?", fullmatch=True)
HASHES = st.lists(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3, unique=True)


@given(st.dictionaries(NAMES, HASHES, min_size=1, max_size=8))
def test_no_package_and_no_hash_of_a_lock_is_lost(packages: dict[str, list[str]]) -> None:
    lines = [f"{name}==1.0 \\\n" + " \\\n".join(f"    --hash=sha256:{one}" for one in hashes) for name, hashes in packages.items()]

    assert {one.name: list(one.hashes) for one in pinned("\n    # via x\n".join(lines))} == packages


def store(url: str, bucket: str, image: str = IMAGE) -> subprocess.CompletedProcess[str]:
    arguments = ["--model", "lead_scoring", "--image-uri", image, "--artifacts", f"s3://{bucket}"]
    command = [sys.executable, "-m", "pipelines.steps.bill_of_materials", *arguments]
    environment = {**os.environ, "AWS_ENDPOINT_URL": url, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_it_is_stored_under_the_images_digest_once_and_for_all(server: str, client: Clients) -> None:
    s3, key = client("s3"), f"images/{'a' * 64}/sbom.json"
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    first = store(server, "artifacts")
    report = json.loads(first.stdout)
    stored = json.load(s3.get_object(Bucket="artifacts", Key=key)["Body"])
    s3.put_object(Bucket="artifacts", Key=key, Body=b"what was stored before")
    second = store(server, "artifacts")

    assert report == {"uri": f"s3://artifacts/{key}", "components": len(stored["components"])}
    assert (second.returncode, second.stderr) == (0, f"s3://artifacts/{key} is there already\n")
    assert s3.get_object(Bucket="artifacts", Key=key)["Body"].read() == b"what was stored before"


def test_an_image_without_a_digest_is_refused_in_one_line(server: str) -> None:
    ran = store(server, "artifacts", image="host/repository:tag")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "bill_of_materials: --image-uri: found 'host/repository:tag': accepted is an image by its digest\n"
