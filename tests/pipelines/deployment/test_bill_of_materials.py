"""What an image holds, as CycloneDX says it: the lock's packages, the same bytes every time, and what is not listed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deployment.bill_of_materials import base_image, bill, pinned, store
from tests.reference import CONFIG, MODEL, MODELS
from tests.support import sample
from tests.support.moto_server import Clients

IMAGE = f"{sample.REPOSITORY}@sha256:{'a' * 64}"
PROJECT = CONFIG.project
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
    document: dict[str, Any] = json.loads(bill(IMAGE, lock, base, project=PROJECT))
    return document


def versions(document: dict[str, Any]) -> list[str]:
    return [f"{component['name']} {component['version']}" for component in document["components"]]


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
    properties = {each["name"]: each["value"] for each in about["properties"]}

    assert (about["type"], about["version"]) == ("container", f"sha256:{'a' * 64}")
    assert properties == {
        f"{PROJECT}:base-image": BASE,
        f"{PROJECT}:base-image-pinned": "by tag",
        f"{PROJECT}:not-listed": "Python itself and the operating-system packages of the base image",
    }
    pinned_base = made(base=f"python:3.11@sha256:{'b' * 64}")["metadata"]["component"]["properties"]
    assert {"name": f"{PROJECT}:base-image-pinned", "value": "by digest"} in pinned_base


def test_the_image_depends_on_everything_in_it() -> None:
    document = made()
    (all_of_it,) = [dependency["dependsOn"] for dependency in document["dependencies"] if dependency["ref"] == IMAGE]

    assert all_of_it == [component["bom-ref"] for component in document["components"]]


def test_the_same_image_gives_the_same_bytes_and_another_one_others() -> None:
    again, other = (bill(image, LOCK, BASE, project=PROJECT) for image in (IMAGE, IMAGE.replace("a" * 64, "b" * 64)))

    assert again == bill(IMAGE, LOCK, BASE, project=PROJECT)
    assert json.loads(again)["serialNumber"] != json.loads(other)["serialNumber"]


def test_the_models_own_image_has_a_bill_that_cyclonedx_accepts() -> None:
    folder = MODELS / MODEL
    lock = (folder / "requirements.lock").read_text()
    content = bill(IMAGE, lock, base_image((folder / "Dockerfile").read_text()), project=PROJECT)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    names = [component["name"] for component in json.loads(content)["components"]]
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
        bill(IMAGE, lock, BASE, project=PROJECT)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8})?", fullmatch=True)
HASHES = st.lists(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3, unique=True)


@pytest.mark.slow
@given(st.dictionaries(NAMES, HASHES, min_size=1, max_size=8))
def test_no_package_and_no_hash_of_a_lock_is_lost(packages: dict[str, list[str]]) -> None:
    lines = [f"{name}==1.0 \\\n" + " \\\n".join(f"    --hash=sha256:{digest}" for digest in hashes) for name, hashes in packages.items()]

    requirements = pinned("\n    # via x\n".join(lines))

    assert {requirement.name: list(requirement.hashes) for requirement in requirements} == packages


def test_what_is_stored_stays(client: Clients) -> None:
    s3, uri = client("s3"), f"s3://artifacts/images/{'a' * 64}/sbom.json"
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": CONFIG.toolchain.region})

    assert (store(s3, uri, b"before"), store(s3, uri, b"after")) == (True, False)
    assert s3.get_object(Bucket="artifacts", Key=uri.removeprefix("s3://artifacts/"))["Body"].read() == b"before"
