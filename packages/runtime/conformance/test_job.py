"""A framework's model takes the container's way: prepared, trained and evaluated in one job, then served, and another's is refused."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conformance import subject
from conformance.subject import Subject
from paved_runtime import artifact, frameworks, golden, plugin, serving, spec, testing
from paved_runtime.artifact import ArtifactError
from paved_runtime.job import Job
from paved_runtime.spec import FRAMEWORKS, TaskName

ROW = {"age": 40, "income": 30_000.5, "debt": 0.0, "visits": 3, "region": "north"}


def test_one_job_leaves_a_complete_model(tried: Subject, judged: Path) -> None:
    evaluation = artifact.read_json(judged / "model" / artifact.EVALUATION)
    metadata = artifact.read_json(judged / "model" / artifact.METADATA)

    assert sorted(file.name for file in (judged / "model").iterdir()) == sorted(artifact.complete_files(tried.model))
    assert metadata["framework"] == frameworks.manifest(tried.framework)
    assert evaluation["gates_failed"] == 0, evaluation["gates"]


def test_its_golden_requests_are_answered_again(tried: Subject, judged: Path) -> None:
    loaded = serving.load(Job.of(testing.environment(tried.model.name, judged)))

    assert golden.record(tried.model, loaded) == artifact.read_json(judged / "model" / artifact.GOLDEN)


@pytest.fixture
def server(tried: Subject, judged: Path) -> Iterator[httpx.Client]:
    """A server process of the model."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_MODEL_SERVER_WORKERS": "2", "PYTHONUNBUFFERED": "1"}
    argv, env = [sys.executable, "-m", "paved_runtime", "serve"], testing.environment(tried.model.name, judged, **variables)
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().startswith("serving ")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                yield client
        finally:
            process.kill()


def test_it_serves_rows_and_reasons(server: httpx.Client) -> None:
    rows = [ROW, ROW | {"income": None, "region": None}]
    answer = server.post("/invocations", json={"instances": rows, "explain": True}).json()
    plain = server.post("/invocations", json={"instances": rows}).json()

    for row, prediction, alone in zip(rows, answer["predictions"], plain["predictions"], strict=True):
        assert prediction | alone == prediction
        assert {reason["column"]: reason["value"] for reason in prediction["reasons"]} == row
    assert server.post("/invocations", json={"instances": [ROW | {"age": None}]}).status_code == 422
    infinite = json.dumps({"instances": [ROW | {"debt": float("inf")}]})
    assert server.post("/invocations", content=infinite, headers={"content-type": "application/json"}).status_code == 400


@pytest.mark.parametrize("other", FRAMEWORKS)
def test_another_frameworks_model_is_refused_by_name(tried: Subject, judged: Path, tmp_path: Path, other: str) -> None:
    folder, features = tmp_path / "model", plugin.features(tried.model.name).NAMES
    shutil.copytree(judged / "model", folder)
    artifact.write_metadata(folder, artifact.read_json(folder / artifact.METADATA) | {"framework": {"name": other, "version": "1"}})
    if other == tried.framework.NAME:
        artifact.check(folder, tried.model, features)
    else:
        with pytest.raises(ArtifactError, match=rf"trained with {other}, this image's model\.toml says {tried.framework.NAME}"):
            artifact.check(folder, tried.model, features)


def test_another_tasks_model_is_refused_by_name(tried: Subject, task: TaskName, judged: Path) -> None:
    features = plugin.features(tried.model.name).NAMES
    for other in tried.framework.TASKS:
        model = spec.load(subject.name(tried.framework.NAME, other))
        if other == task:
            artifact.check(judged / "model", model, features)
        else:
            with pytest.raises(ArtifactError, match=rf"^the model was trained for {task}, this image's model\.toml says {other}: train"):
                artifact.check(judged / "model", model, features)
