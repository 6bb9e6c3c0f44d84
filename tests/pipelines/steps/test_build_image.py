"""The image of a commit, as a stage asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import naming
from config import Images
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS, put_facts
from tests.support.moto_server import Clients
from tests.support.programs import run_step
from tests.support.shell import variables_of
from tests.support.world import MANIFEST

BASE = f"mirror.acme.test/python:3.11@sha256:{'b' * 64}"
REPOSITORY = naming.image_repository(CONFIG, MODEL)


def test_an_image_that_is_there_is_not_built_again(server: str, client: Clients, programs: Path, tree: Path) -> None:
    ecr = client("ecr")
    uri = ecr.create_repository(repositoryName=REPOSITORY)["repository"]["repositoryUri"]
    put_facts(client("ssm"), replace(FACTS, image_repository=uri))
    name, _, digest = BASE.partition("@")
    said = {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": digest}
    program = (programs / "docker").read_text().replace('echo "said by docker"', f"echo '{json.dumps(said)}'")
    (programs / "docker").write_text(program)
    pushed = ecr.put_image(repositoryName=REPOSITORY, imageManifest=json.dumps(MANIFEST), imageTag="c0ffee")
    ran = run_step(tree, "build_image", "--model", MODEL, "--commit", "c0ffee", url=server)

    values = variables_of(ran.stdout, programs, "IMAGE_URI", "BASE_IMAGE")
    assert values == [f"{uri}@{pushed['image']['imageId']['imageDigest']}", BASE], ran.stderr
    assert ran.stderr.splitlines()[0] == f"{REPOSITORY}:c0ffee is there already"
    assert "build" not in (programs / "docker.log").read_text().splitlines()


def test_one_that_is_not_is_built_from_the_models_dockerfile(server: str, client: Clients, programs: Path, tree: Path) -> None:
    pinned = f"{Images().base}@sha256:{'b' * 64}"
    program = (programs / "docker").read_text().replace('echo "said by docker"', f"echo '{pinned}'")
    (programs / "docker").write_text(program)
    uri = client("ecr").create_repository(repositoryName=REPOSITORY)["repository"]["repositoryUri"]
    put_facts(client("ssm"), replace(FACTS, image_repository=uri))
    ran = run_step(tree, "build_image", "--model", MODEL, "--commit", "c0ffee", "--created", "today", url=server)
    called = (programs / "docker.log").read_text().splitlines()

    assert called[called.index("--file") + 1] == f"model_code/{MODEL}/Dockerfile"
    assert called[called.index("--build-arg") + 1] == f"BASE={pinned}"
    assert "org.opencontainers.image.created=today" in called
    assert called[-2:] == ["push", f"{uri}:c0ffee"]
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1] == (
        f"build_image: {REPOSITORY}:c0ffee was pushed, but ECR does not know it: run the step again"  # it was no real docker
    )
