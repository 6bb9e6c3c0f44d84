"""The life of a localcloud seen by the commands: found, spoken to, stopped with its folder; no stranger is mistaken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import local
from tests.cli.conftest import HERE, Road


@pytest.fixture
def cloud(road: Road, tmp_path: Path) -> Iterator[Path]:
    """The folder of a localcloud that has just started."""
    start = [sys.executable, "-c", "from cli import local; print(local.start()[0].url)"]
    env = {**os.environ, "ROAD_CLOUD": str(tmp_path / "cloud")}
    subprocess.run(start, cwd=HERE, env=env, check=True, capture_output=True, timeout=60)
    yield tmp_path / "cloud"
    road("down")


def test_it_is_found_spoken_to_and_stopped(road: Road, cloud: Path) -> None:
    described = json.loads((cloud / "cloud.json").read_text())

    assert local._lives(described["pid"])
    variables = road("env", "production").stdout
    status = road("status", "lead_scoring")
    second = road("demo", "--yes")
    down = road("down")

    assert f"export AWS_ENDPOINT_URL={described['url']}\n" in variables
    assert f"export AWS_ACCESS_KEY_ID={described['accounts']['333333333333']['AWS_ACCESS_KEY_ID']}\n" in variables
    told = status.stderr.splitlines()
    assert told[0] == f"target: localcloud {described['url']}"
    assert told[1].startswith("road: ListPipelineExecutions was refused: PipelineNotFoundException: ")
    assert second.stderr == f"road: demo: a localcloud runs already at {described['url']}: ./road down\n"
    assert (down.returncode, down.stderr) == (0, f"stopped localcloud at {described['url']} and removed {cloud}\n")
    assert not cloud.exists()
    assert not local._lives(described["pid"])


def test_credentials_of_a_person_do_not_reach_it(road: Road, cloud: Path) -> None:
    done = road("data", "put", "lead_scoring", "/dev/null", AWS_PROFILE="nobody", AWS_ACCESS_KEY_ID="wrong", AWS_SECRET_ACCESS_KEY="wrong")
    assert "the file is missing" in done.stderr or "there is no such file" in done.stderr
    done = road("logs", AWS_ACCESS_KEY_ID="wrong", AWS_SECRET_ACCESS_KEY="wrong")
    assert "PipelineNotFoundException" in done.stderr
    assert cloud.exists()


def test_a_stranger_with_its_number_is_left_alone(road: Road, tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        facts = {"pid": stranger.pid, "url": "http://localhost:1", "region": "eu-west-1", "remote": "", "root": str(folder), "speed": 1.0}
        (folder / "cloud.json").write_text(json.dumps({**facts, "accounts": {}}))

        down = road("down")

        assert stranger.poll() is None
        assert down.stderr == f"nothing was running; removed {folder}\n"
        stranger.communicate(b"\n")
