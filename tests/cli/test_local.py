"""The life of a localcloud seen by the commands: found, spoken to, stopped with its folder; no stranger is mistaken for it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import local
from cli.repository import AUTHOR
from tests.reference import CONFIG, MODEL
from tests.support.road import Road, environment
from tests.support.tree import reference_tree

PRODUCTION = CONFIG.environments[-1]
HOSTILE = {  # what a person may have set for AWS and for the network
    "AWS_PROFILE": "nobody",
    "AWS_ACCESS_KEY_ID": "wrong",
    "AWS_SECRET_ACCESS_KEY": "wrong",
    "AWS_ENDPOINT_URL_CODEPIPELINE": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture
def cloud(road: Road, tree: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a localcloud that has just started."""
    start = [sys.executable, "-c", "from cli import local; print(local.start()[0].url)"]
    subprocess.run(start, cwd=tree, env=environment(tree, tmp_path / "cloud"), check=True, capture_output=True, timeout=60)
    yield tmp_path / "cloud"
    road("down")


@pytest.mark.slow
def test_it_is_found_spoken_to_and_stopped(road: Road, cloud: Path) -> None:
    described = json.loads((cloud / "cloud.json").read_text())

    assert local.lives(described["pid"])
    variables = road("env", PRODUCTION.name).stdout
    status = road("status", MODEL)
    second = road("demo", "--yes")
    down = road("down")

    assert f"export AWS_ENDPOINT_URL={described['url']}\n" in variables
    assert f"export AWS_ACCESS_KEY_ID={described['accounts'][PRODUCTION.account.id]['AWS_ACCESS_KEY_ID']}\n" in variables
    assert "export NO_PROXY=localhost,127.0.0.1,::1\n" in variables
    lines = status.stderr.splitlines()
    assert lines[0] == f"target: localcloud {described['url']}"
    assert lines[1].startswith("road: ListPipelineExecutions was refused: PipelineNotFoundException: ")
    assert second.stderr.splitlines()[-1] == f"road: demo: a localcloud runs already at {described['url']}: ./road down"
    assert (down.returncode, down.stderr) == (0, f"stopped localcloud at {described['url']} and removed {cloud}\n")
    assert not cloud.exists()
    assert not local.lives(described["pid"])


def test_a_persons_own_settings_do_not_reach_it(road: Road, cloud: Path) -> None:
    done = road("logs", MODEL, **HOSTILE)
    assert "PipelineNotFoundException" in done.stderr
    assert cloud.exists()


@pytest.mark.slow
def test_a_push_takes_no_proxy(tmp_path: Path) -> None:
    clone = reference_tree(tmp_path / "clone")
    env = {**environment(clone, tmp_path / "cloud"), **AUTHOR, **HOSTILE}

    def run(*command: str) -> str:
        return subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, check=True, timeout=120).stdout

    run("git", "init", "--quiet")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "first")
    run(sys.executable, "-c", "from cli import local; local.start()")
    try:
        assert run(sys.executable, "-m", "cli", "push") == "nothing started: no pipeline watches what changed\n"
        run("git", "commit", "--quiet", "--allow-empty", "--message", "second")
        run("git", "push", json.loads((tmp_path / "cloud/cloud.json").read_text())["remote"], f"HEAD:{CONFIG.repository.branch}")
    finally:
        run(sys.executable, "-m", "cli", "down")


@pytest.mark.parametrize("command", [["up"], ["demo", "--yes"]])
def test_whoever_comes_second_is_told_who_is_at_work(road: Road, tmp_path: Path, command: list[str]) -> None:
    with (tmp_path / "cloud.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        print(os.getpid(), end="", file=turn, flush=True)
        done = road(*command)

    assert done.returncode == 1
    who = f"another ./road up or ./road demo is at work here (process {os.getpid()})"
    assert done.stderr.splitlines()[-1] == f"road: localcloud: {who}: wait until it has ended, or end it, then ./road down"
    assert not (tmp_path / "cloud").exists()


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
