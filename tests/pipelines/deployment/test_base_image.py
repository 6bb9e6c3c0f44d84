"""What an image is built on: named by config.py, pinned by a lock, and never a tag that may move."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import Images
from pipelines.deployment.base_image import Reference, locked, own
from tests.reference import MODEL, MODELS

DIGEST = f"sha256:{'a' * 64}"
BASE = "mirror.acme.test:8443/docker/library/python:3.11-slim"


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        (f"{BASE}@{DIGEST}", "mirror.acme.test:8443", "mirror.acme.test:8443/docker/library/python", "3.11-slim", DIGEST),
        ("public.ecr.aws/docker/library/python:3.11", "public.ecr.aws", "public.ecr.aws/docker/library/python", "3.11", ""),
        ("localhost:5000/python", "localhost:5000", "localhost:5000/python", "", ""),
        ("python:3.11", "docker.io", "python", "3.11", ""),
        (f"acme/base@{DIGEST}", "docker.io", "acme/base", "", DIGEST),
    ],
)
def test_the_parts_of_a_name(text: str, registry: str, repository: str, tag: str, digest: str) -> None:
    reference = Reference.parse(text)

    assert (reference.registry, reference.repository, reference.tag, reference.digest) == (registry, repository, tag, digest)
    assert str(reference) == text


def test_a_private_repository_says_whose_it_is() -> None:
    private = Reference.parse("100000000001.dkr.ecr.eu-central-1.amazonaws.com/ecr-public/docker/library/python:3.11").private

    assert private
    assert private.groupdict() == {"account": "100000000001", "region": "eu-central-1", "name": "ecr-public/docker/library/python"}
    assert Reference.parse(BASE).private is None


def test_a_lock_pins_the_base_that_config_names(tmp_path: Path) -> None:
    lock = tmp_path / "base-image.lock"
    assert str(locked(BASE, lock)) == BASE
    lock.write_text(f"{BASE}@{DIGEST}\n")

    assert str(locked(BASE, lock)) == f"{BASE}@{DIGEST}"
    with pytest.raises(ValueError, match=r"pins .*:3\.11-slim@sha256:a+, and config.py names .*:3\.12-slim: ./road base --renew"):
        locked(BASE.replace("3.11", "3.12"), lock)


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("python:3.11", "comes from Docker Hub"),
        ("docker.io/library/python:3.11", "comes from Docker Hub"),
        (BASE.replace(":3.11-slim", ":latest"), "says no version"),
        (BASE.replace(":3.11-slim", ""), "says no version"),
        ("https://mirror.acme.test/python:3.11", "does not name an image"),
    ],
)
def test_a_base_that_nothing_should_be_built_on(base: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        locked(base, tmp_path / "none")


def test_the_default_is_one_that_can_be_built_on(tmp_path: Path) -> None:
    assert locked(Images().base, tmp_path / "none").registry == "public.ecr.aws"


def test_the_models_own_image_is_built_on_the_base_of_config() -> None:
    assert own((MODELS / MODEL / "Dockerfile").read_text()) is None


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("ARG BASE\nFROM ${BASE}\n", None),
        ("ARG BASE=python:3.11\nFROM $BASE\n", None),
        (f"FROM {BASE}@{DIGEST}\n", f"{BASE}@{DIGEST}"),
        (f"ARG TAG=3.11-slim@{DIGEST}\nFROM --platform=linux/amd64 mirror.acme.test:8443/python:$TAG AS build\nFROM build\n",
         f"mirror.acme.test:8443/python:3.11-slim@{DIGEST}"),
        (f"FROM mirror.acme.test/golang:1@{DIGEST} as tools\nARG BASE\nFROM ${{BASE}}\nCOPY --from=tools /x /x\n", None),
    ],
)  # fmt: skip
def test_the_base_is_what_the_last_stage_is_built_on(dockerfile: str, base: str | None) -> None:
    reference = own(dockerfile)

    assert (str(reference) if reference else None) == base


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("RUN true\n", "has no FROM"),
        (f"FROM {BASE}\n", r"has no digest: pin it, or begin with FROM \$\{BASE\}"),
        (f"FROM mirror.acme.test/golang:1 AS tools\nFROM {BASE}@{DIGEST}\n", "FROM mirror.acme.test/golang:1: .* has no digest"),
        (f"FROM python:3.11@{DIGEST}\n", "Docker Hub"),
    ],
)
def test_a_base_of_its_own_is_pinned(dockerfile: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        own(dockerfile)
