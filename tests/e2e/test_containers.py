"""The whole road with real containers: Docker builds the image, a registry holds it, and every job and endpoint runs from its digest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from localcloud.ecr import engine
from localcloud.testing.daemon import daemon, python_image
from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.containers, pytest.mark.timeout(1800), pytest.mark.laptop("Docker on this machine")]
PRODUCTION = CONFIG.environments[-1]
PYTHON = "python:3.11-slim"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Docker answers, and has a Python that lies in a registry, as in a firm's mirror; its name there."""
    root = tmp_path_factory.mktemp("docker")
    with daemon(root):
        python_image(root, PYTHON)
        mirror = engine.start(root)
        name = f"{mirror.registry}/{PYTHON}"
        for command in (["tag", PYTHON, name], ["push", "--quiet", name]):
            subprocess.run(["docker", *command], check=True)
        yield name
        mirror.stop()


@pytest.fixture(scope="module")
def fork(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A clone whose localcloud builds and runs by Docker, on a base that is pinned. The model trains in three jobs."""
    config = replace(CONFIG, images=replace(CONFIG.images, base=base))
    jobs = (f"model_code/{MODEL}/model.toml", 'steps = "one-job"', 'steps = "separate"')
    with Fork.up(tmp_path_factory.mktemp("fork"), "--containers", config=config, edit=jobs) as made:
        made.road("base", "--renew")
        yield made


@pytest.fixture(scope="module")
def served(fork: Fork) -> dict[str, Any]:
    """The container that production serves after the first push, as SageMaker describes it."""
    _, execution = fork.push("the first version")
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    fork.road("approve", MODEL, "--reason", "it runs in a container", "--yes")
    fork.wait(execution, "Production", "Succeeded")
    container = fork.served(PRODUCTION)
    package = fork.client("sagemaker").describe_model_package(ModelPackageName=container["ModelPackageName"])
    return dict(package["InferenceSpecification"]["Containers"][0])


def test_what_answers_in_production_is_the_pushed_image_without_a_network(served: dict[str, Any]) -> None:
    repository, _, digest = served["Image"].partition("@")
    path = f"{CONFIG.toolchain.id}/{CONFIG.toolchain.region}/{repository.partition('/')[2]}"
    every = subprocess.run(["docker", "ps", "--quiet"], capture_output=True, text=True, check=True).stdout.split()
    about = subprocess.run(["docker", "inspect", *every], capture_output=True, text=True, check=True).stdout
    running = [one for one in json.loads(about) if one["Config"]["Image"].endswith(f"/{path}@{digest}")]

    assert len(running) >= sum(1 for _ in CONFIG.environments)
    assert {one["HostConfig"]["NetworkMode"] for one in running} == {"none"}


def test_production_answers_and_the_monitor_looks(fork: Fork, served: dict[str, Any]) -> None:
    assert served
    data = fork.home / ".road" / "data.csv"
    fork.road("traffic", MODEL, "--data", str(data), "--rows", "600", "--rate", "200", "--json")
    looked = json.loads(fork.road("monitor", MODEL, "--no-open", "--json").stdout)

    assert looked["skipped"] is None
    assert looked["drifted"] is False
    assert looked["rows"] >= 600
    assert fork.road("evidence", MODEL, "--verify", "--no-open").returncode == 0
    assert f"{PRODUCTION.name}  serves version 1" in fork.road("status", MODEL).stdout
