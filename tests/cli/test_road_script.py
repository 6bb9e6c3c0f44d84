"""The shell script that makes the environment: what it says when it cannot."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.delivery import model_road, platform_road, retraining_road
from tests import reference
from tests.reference import CONFIG

ROOT = Path(__file__).parents[2]
NEEDED = ("road", "requirements.lock", "requirements-stage.lock", "package.json", "package-lock.json", ".npmrc")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of a fresh clone as the script reads, with a folder for programs of our own."""
    for name in NEEDED:
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    return tmp_path


def road(clone: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["./road", "status"], cwd=clone, env=env, capture_output=True, text=True)


def program(clone: Path, name: str, script: str) -> None:
    path = clone / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_python_that_is_too_old_is_named(clone: Path) -> None:
    program(clone, "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    for tool in ("sh", "dirname", "git"):
        (clone / "bin" / tool).symlink_to(str(shutil.which(tool)))

    done = road(clone, PATH=str(clone / "bin"))

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Python 3.11 or newer was not found (Python 3.9.2)" in line
    assert "PYTHON=" in line


def test_a_machine_without_git_is_told_so(clone: Path) -> None:
    for tool in ("sh", "dirname"):
        (clone / "bin" / tool).symlink_to(str(shutil.which(tool)))

    done = road(clone, PATH=str(clone / "bin"), PYTHON=sys.executable)

    assert done.returncode == 1
    assert done.stderr.splitlines() == ["road: git was not found: install it"]


def test_node_starts_without_python() -> None:
    shown = ["sh", "-c", 'command -v node; echo "$JSII_NODE"']

    ran = subprocess.run(["./road", "exec", *shown], cwd=ROOT, capture_output=True, text=True, check=True)

    found, jsii = ran.stdout.splitlines()
    assert found == jsii
    with Path(jsii).open("rb") as program:
        assert program.read(2) != b"#!"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-stage.lock"])
def test_where_the_environment_is_made_no_python_is_looked_for(clone: Path, tmp_path: Path, lock: str) -> None:
    """Every command of every stage begins with it. What has all packages will do where some are enough."""
    program(clone, "python3", "echo started >> started; exit 1")
    environment = tmp_path / "made"
    (environment / "bin").mkdir(parents=True)
    digest = hashlib.sha256(b"".join((clone / name).read_bytes() for name in ("requirements.lock", "package-lock.json", ".npmrc")))
    (environment / "stamp").write_text(f"{digest.hexdigest()}\n")

    ran = subprocess.run(
        ["./road", "exec", "true"],
        cwd=clone,
        env={"PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}", "ROAD_ENV": str(environment), "ROAD_LOCK": lock},
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert not (clone / "started").exists()


def packages(lock: str) -> dict[str, set[str]]:
    """The versions of each package of a lock."""
    known: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        known.setdefault(name, set()).add(version)
    return known


def test_a_stage_has_a_part_of_the_packages_in_the_same_versions() -> None:
    stage, whole = packages("requirements-stage.lock"), packages("requirements.lock")

    assert {name: versions for name, versions in stage.items() if versions - whole.get(name, set())} == {}
    assert len(stage) <= 31 < len(whole) / 5


@pytest.mark.slow
def test_the_packages_of_a_stage_are_all_that_its_programs_import(clone: Path) -> None:
    """Made anew, as a build does. Its size is what a stage waits for before its first command."""
    for room in ("cli", "config.py", "naming.py", "packages", "pipelines"):
        (clone / room).symlink_to(ROOT / room)
    light = [
        job
        for road in (model_road(CONFIG, reference.model()), platform_road(CONFIG, [reference.model()]))
        for job in road.jobs
        if job.light
    ]
    light += retraining_road(CONFIG, reference.model()).jobs
    steps = {word for job in light for command in job.commands for word in command.words if str(word).startswith("pipelines.steps.")}
    imports = "; ".join(
        f"import {step}" for step in sorted(map(str, [*steps, "pipelines.evidence.plots.binary", "pipelines.evidence.page"]))
    )
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("ROAD_")}, "ROAD_LOCK": "requirements-stage.lock"}

    for command in (["python", "-c", imports], ["cdk", "--version"]):
        done = subprocess.run(["./road", "exec", *command], cwd=clone, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    made = clone / ".road/stage"
    assert sum(file.stat().st_size for file in made.rglob("*") if not file.is_symlink() and file.is_file()) < 600e6
    assert len(steps) >= 8


@pytest.mark.slow
def test_a_set_up_without_network_fails_in_one_line_and_can_be_run_again(clone: Path) -> None:
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "ROAD_", "UV_"))}

    done = road(clone, **{**kept, **offline, "PYTHON": sys.executable})

    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("road: set-up failed at: ")
    assert "registries must be reachable" in last
    assert str(clone / ".road" / "setup.log") in last
    assert not (clone / ".road" / "env" / "stamp").exists()
