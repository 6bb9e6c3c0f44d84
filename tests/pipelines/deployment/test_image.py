"""The image of a commit: built once, pushed, and known by its digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.image import build_and_push, built
from tests.support.fakes import Fake

TOKEN = {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}
ECR = Fake(get_authorization_token=lambda **_: TOKEN, describe_images=lambda **_: {"imageDetails": []})


def test_how_an_image_is_built(programs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build_and_push(ECR, "host", "host/repo:c0ffee", dockerfile=Path("model_code/m/Dockerfile"))
    called = (programs / "docker.log").read_text().split("\n")

    assert " ".join(called).strip() == (
        "login --username AWS --password-stdin host "
        "build --platform linux/amd64 --provenance=false --output type=docker --file model_code/m/Dockerfile --tag host/repo:c0ffee . "
        "push host/repo:c0ffee"
    )
    assert capfd.readouterr().out == ""


def test_an_image_that_does_not_build(programs: Path) -> None:
    (programs / "docker").write_text("#!/bin/sh\nexit 3\n")

    with pytest.raises(DeploymentError, match="`docker login` exited with 3"):
        build_and_push(ECR, "host", "host/repo:c0ffee", dockerfile=Path("Dockerfile"))


@pytest.mark.usefixtures("programs")
def test_an_image_that_is_lost_on_the_way() -> None:
    with pytest.raises(DeploymentError, match="repo:c0ffee was pushed, but ECR does not know it: run the step again"):
        built(ECR, "host/repo", "c0ffee", dockerfile=Path("Dockerfile"))
