"""What an image holds, as CycloneDX says it: the lock's packages, the same bytes every time, and what is not listed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deployment.bill_of_materials import bill, pinned, store
from tests.reference import CONFIG, MODEL, MODELS
from tests.support import sample
from tests.support.moto_server import Clients

IMAGE = f"{sample.REPOSITORY}@sha256:{'a' * 64}"
PROJECT = CONFIG.project
BASE = f"public.ecr.aws/docker/library/python:3.11-slim-bookworm@sha256:{'b' * 64}"
SCAN = {
    "completed": "2026-11-29T12:00:00+00:00",
    "refused_from": "CRITICAL",
    "findings": [
        {
            "id": "CVE-2026-1",
            "severity": "CRITICAL",
            "package": "openssl",
            "version": "3.0.1",
            "accepted": "not reachable (until 2027-01-31)",
        },
        {"id": "CVE-2026-1", "severity": "CRITICAL", "package": "libssl", "version": "3.0.1", "accepted": None},
        {"id": "CVE-2026-2", "severity": "UNDEFINED", "package": "zlib", "version": "1.2", "accepted": None},
    ],
}
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
    document: dict[str, Any] = json.loads(bill(IMAGE, lock, base, SCAN, project=PROJECT))
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
        f"{PROJECT}:base-image-pinned": "by digest",
        f"{PROJECT}:scan-completed": "2026-11-29T12:00:00+00:00",
        f"{PROJECT}:scan-refused-from": "CRITICAL",
        f"{PROJECT}:not-listed": "Python itself and the operating-system packages of the base image",
    }


def test_what_nobody_knows_of_the_base_is_said() -> None:
    properties = {each["name"]: each["value"] for each in made(base="")["metadata"]["component"]["properties"]}

    assert (properties[f"{PROJECT}:base-image"], properties[f"{PROJECT}:base-image-pinned"]) == ("not recorded by the build", "no")


def test_what_the_scan_found_is_told_and_why_it_is_accepted() -> None:
    told = [(each["id"], each["detail"], each["ratings"][0]["severity"], each.get("analysis")) for each in made()["vulnerabilities"]]

    assert sorted(told, key=lambda each: each[:2]) == [
        ("CVE-2026-1", "libssl 3.0.1", "critical", None),
        ("CVE-2026-1", "openssl 3.0.1", "critical", {"state": "in_triage", "detail": "not reachable (until 2027-01-31)"}),
        ("CVE-2026-2", "zlib 1.2", "unknown", None),
    ]


def test_the_image_depends_on_everything_in_it() -> None:
    document = made()
    (all_of_it,) = [dependency["dependsOn"] for dependency in document["dependencies"] if dependency["ref"] == IMAGE]

    assert all_of_it == [component["bom-ref"] for component in document["components"]]


def test_the_same_image_gives_the_same_bytes_and_another_one_others() -> None:
    again, other = (bill(image, LOCK, BASE, SCAN, project=PROJECT) for image in (IMAGE, IMAGE.replace("a" * 64, "b" * 64)))

    assert again == bill(IMAGE, LOCK, BASE, SCAN, project=PROJECT)
    assert json.loads(again)["serialNumber"] != json.loads(other)["serialNumber"]


def test_the_models_own_image_has_a_bill_that_cyclonedx_accepts() -> None:
    folder = MODELS / MODEL
    lock = (folder / "requirements.lock").read_text()
    content = bill(IMAGE, lock, BASE, SCAN, project=PROJECT)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    names = [component["name"] for component in json.loads(content)["components"]]
    assert {"numpy", "onnxruntime", "pydantic", "xgboost-cpu"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("lock", "said"), [("", "pins no package"), ("numpy==1.0\n", "numpy has no hash"), ("numpy>=1.0\n", "pins no package")]
)
def test_a_lock_that_does_not_pin_is_refused(lock: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bill(IMAGE, lock, BASE, SCAN, project=PROJECT)


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
