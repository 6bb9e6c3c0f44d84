"""An image is what an ECR URI names, for the roles that may pull it; its program sees the paths of a container."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from localcloud.ecr import images
from localcloud.testing import MODELS, OTHER
from localcloud.testing.in_process import Aws

pytestmark = pytest.mark.laptop("looks at what localcloud makes of an image")


def test_a_repository_lets_in_the_accounts_of_its_policy(aws: Aws, image: str) -> None:
    with pytest.raises(JsonRESTError, match=f"does not let arn:aws:iam::{OTHER}:role/worker pull"):
        images.find(image, role_arn=aws.worker(OTHER))
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws.client("ecr").set_repository_policy(repositoryName=MODELS, policyText=policy)
    try:
        assert images.find(image, role_arn=aws.worker(OTHER))
    finally:
        aws.client("ecr").delete_repository_policy(repositoryName=MODELS)
    with pytest.raises(ClientError):
        aws.client("ecr").get_repository_policy(repositoryName=MODELS)


def test_a_container_sees_its_own_paths_and_nothing_of_ours(aws: Aws, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_LAPTOP", "x")
    built = images.find(image, role_arn=aws.worker())
    assert isinstance(built, images.Image)
    env = built.environment({"DATA": "/opt/ml/input", "CODE": "/opt/app/program"}, ml=tmp_path)

    assert "SECRET_OF_THE_LAPTOP" not in env
    assert (env["GREETING"], env["ML_ROOT"], env["MODEL_DIR"]) == ("hello", str(tmp_path), f"{tmp_path}/model")
    assert (env["DATA"], env["CODE"]) == (f"{tmp_path}/input", f"{built.rootfs}/opt/app/program")
    assert built.command([], ml=tmp_path) == [str(built.venv / "bin/python"), "-m", "program", "serve"]
    assert built.command(["train", "/opt/ml/x"], entrypoint=["sh"], ml=tmp_path) == ["sh", "train", f"{tmp_path}/x"]
