"""The image of a commit: built once, on a base known by digest, pushed, and known by its digest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.deployment.base_image import Reference
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.image import Image, Source, build_and_push, built
from tests.reference import CONFIG
from tests.support.fakes import Fake

TOKEN = {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}
ECR = Fake(get_authorization_token=lambda **_: TOKEN, describe_images=lambda **_: {"imageDetails": []})
DIGEST, OTHER = (f"sha256:{letter * 64}" for letter in "ab")
BASE = Reference.parse(f"public.ecr.aws/docker/library/python:3.11-slim@{DIGEST}")
TAG = replace(BASE, digest="")
LABELS = (
    "--label org.opencontainers.image.revision=c0ffee --label org.opencontainers.image.created=2026-11-29T12:00:00Z"
    f" --label org.opencontainers.image.source=https://github.com/{CONFIG.repository.id}"
)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    return Source(
        dockerfile=tmp_path / "Dockerfile", base=BASE, repository=CONFIG.repository, commit="c0ffee", created="2026-11-29T12:00:00Z"
    )


def of_base(base: str) -> str:
    name, _, digest = base.partition("@")
    return f"--label org.opencontainers.image.base.name={name} --label org.opencontainers.image.base.digest={digest}"


def typed(programs: Path) -> str:
    return " ".join((programs / "docker.log").read_text().split())


def answer(programs: Path, said: str) -> None:
    """Have `docker image inspect` say something."""
    with (programs / "docker").open("a") as program:
        program.write(f"[ \"$1\" = image ] && exec cat <<'END'\n{said}\nEND\ntrue\n")
    (programs / "docker").write_text((programs / "docker").read_text().replace('echo "said by docker"', ""))


def test_how_an_image_is_built(programs: Path, source: Source, capfd: pytest.CaptureFixture[str]) -> None:
    assert build_and_push(ECR, "host", "host/repo:c0ffee", source) == BASE

    assert typed(programs) == (
        "login --username AWS --password-stdin host "
        f"build --platform linux/amd64 --provenance=false --output type=docker --file {source.dockerfile} --build-arg BASE={BASE}"
        f" {LABELS} {of_base(str(BASE))} --tag host/repo:c0ffee . "
        "push host/repo:c0ffee"
    )
    assert capfd.readouterr().out == ""


def test_a_base_that_is_not_pinned_is_the_one_that_its_tag_names_now(programs: Path, source: Source) -> None:
    answer(programs, f"{TAG.repository}@{OTHER}")

    assert str(build_and_push(ECR, "host", "host/repo:c0ffee", replace(source, base=TAG))) == f"{TAG}@{OTHER}"
    assert f"pull --quiet --platform linux/amd64 {TAG} image inspect" in typed(programs)
    assert f"--build-arg BASE={TAG}@{OTHER} {LABELS} {of_base(f'{TAG}@{OTHER}')}" in typed(programs)


def test_nothing_is_built_on_a_tag_alone(programs: Path, source: Source) -> None:
    answer(programs, "<no value>")

    with pytest.raises(DeploymentError, match=r"python:3\.11-slim: Docker says no digest of it, but '<no value>'"):
        build_and_push(ECR, "host", "host/repo:c0ffee", replace(source, base=TAG))
    assert "build" not in typed(programs)


def test_a_base_of_the_models_own_is_labelled_too(programs: Path, source: Source) -> None:
    own = f"mirror.acme.test/python:3.12@{OTHER}"
    source.dockerfile.write_text(f"FROM {own}\n")

    assert str(build_and_push(ECR, "host", "host/repo:c0ffee", source)) == own
    assert "--build-arg" not in typed(programs)
    assert of_base(own) in typed(programs)


@pytest.mark.usefixtures("programs")
def test_one_that_is_not_pinned_is_refused(source: Source) -> None:
    source.dockerfile.write_text("FROM mirror.acme.test/python:3.12\n")

    with pytest.raises(DeploymentError, match=r"Dockerfile: FROM mirror.acme.test/python:3.12: .* has no digest.*: correct the Dockerfile"):
        build_and_push(ECR, "host", "host/repo:c0ffee", source)


def test_a_mirror_in_ecr_is_logged_in_to(programs: Path, source: Source) -> None:
    mirror = Reference.parse(f"100000000001.dkr.ecr.eu-central-1.amazonaws.com/ecr-public/docker/library/python:3.11@{DIGEST}")
    build_and_push(ECR, "host", "host/repo:c0ffee", replace(source, base=mirror))

    assert f"--password-stdin host login --username AWS --password-stdin {mirror.registry} build" in typed(programs)


@pytest.mark.parametrize(
    ("labels", "base"),
    [({"org.opencontainers.image.base.name": str(TAG), "org.opencontainers.image.base.digest": OTHER}, f"{TAG}@{OTHER}"), (None, None)],
)
def test_an_image_that_is_there_says_itself_what_it_was_built_on(
    programs: Path, source: Source, labels: dict[str, str] | None, base: str | None
) -> None:
    answer(programs, json.dumps(labels))
    there = Fake(get_authorization_token=lambda **_: TOKEN, describe_images=lambda **_: {"imageDetails": [{"imageDigest": DIGEST}]})

    assert built(there, "host/repo", source) == Image(uri=f"host/repo@{DIGEST}", base=Reference.parse(base) if base else None)
    assert "build" not in typed(programs)


def test_an_image_that_does_not_build(programs: Path, source: Source) -> None:
    (programs / "docker").write_text("#!/bin/sh\nexit 3\n")

    with pytest.raises(DeploymentError, match="`docker login` exited with 3"):
        build_and_push(ECR, "host", "host/repo:c0ffee", source)


@pytest.mark.usefixtures("programs")
def test_an_image_that_is_lost_on_the_way(source: Source) -> None:
    with pytest.raises(DeploymentError, match="repo:c0ffee was pushed, but ECR does not know it: run the step again"):
        built(ECR, "host/repo", source)
