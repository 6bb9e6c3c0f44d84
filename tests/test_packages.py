"""Each package is of use alone: its wheel, in an empty environment, does what its README shows first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli import packages
from cli.packages import Package
from tests.reference import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PACKAGE = pytest.mark.parametrize("package", packages.every(), ids=lambda package: package.name)


SERVERS = ("localcloud",)  # first commands that go on until they are interrupted
SHOWN = {"runtime": "model_code/leads: ok", "deployability": "E9030 Endpoint", "localcloud": "'Name': 'first'"}


def first_commands(package: Package) -> list[str]:
    """What the section `First command` of its README has a person type, a block each."""
    section = (package.home / "README.md").read_text(encoding="utf-8").partition("## First command\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def run(*command: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture
def alone(package: Package, tmp_path: Path) -> dict[str, str]:
    """The variables of a shell in which nothing is installed but the package's wheel, with the extras that its README names."""
    install = next(line for block in first_commands(package) for line in block.splitlines() if line.startswith("pip install "))
    extras = (re.findall(r"\[.*\]", install) or [""])[0]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON", "ROAD_", "MODEL", "ML_"))}
    built = run("uv", "build", "--wheel", "--out-dir", str(tmp_path), str(package.home), cwd=ROOT, env=env)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "environment"
    for command in (
        ["uv", "venv", "--python", sys.executable, str(home)],
        ["uv", "pip", "install", "--python", str(home / "bin/python"), f"{wheel}{extras}"],
    ):
        done = run(*command, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
    return {**env, "PATH": f"{home / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "1"}


@PACKAGE
def test_its_wheel_alone_does_what_the_readme_shows_first(package: Package, alone: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    script = "".join(re.sub(r"^pip install .*\n", "", block, flags=re.MULTILINE) for block in first_commands(package))
    server, _, rest = script.partition("\n")
    printed = _beside(server, rest, folder, alone) if server in SERVERS else run("sh", "-c", script, cwd=folder, env=alone).stdout
    assert SHOWN[package.name] in printed


def _beside(server: str, script: str, folder: Path, env: dict[str, str]) -> str:
    """A server in one terminal; what is typed in another, and its output."""
    with subprocess.Popen([server], cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().startswith("ready http://localhost:")
            typed = run("sh", "-e", "-c", script, cwd=folder, env=env)
        finally:
            process.terminate()
    assert typed.returncode == 0, typed.stderr
    return typed.stdout
