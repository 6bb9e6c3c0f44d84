"""The command: its defaults, the files by which other programs find it, and what it refuses."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import localcloud

pytestmark = pytest.mark.laptop("the command is localcloud's")
SOURCE = str(Path(localcloud.__file__).parents[1])


def environment() -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return own | {"PYTHONPATH": os.pathsep.join(filter(None, [SOURCE, own.get("PYTHONPATH")])), "AWS_CONFIG_FILE": os.devnull}


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in `folder`, ready."""
    command = [sys.executable, "-m", "localcloud", "--exit-with-parent", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("ready http://localhost:")
        yield process
        assert process.stdin
        process.stdin.close()


def refused(folder: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "localcloud", *arguments], cwd=folder, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_a_shell_speaks_to_it_by_its_environment_file_and_it_ends_with_its_parent(tmp_path: Path) -> None:
    network = "123456789012/vpc-0a1b2c3d/subnet-0a1b2c3d,subnet-0a1b2c3e/sg-0a1b2c3d"
    with started(tmp_path, "--network", network) as process:
        file = tmp_path / ".localcloud/123456789012.env"
        subnets = "aws ec2 describe-subnets --filters Name=vpc-id,Values=vpc-0a1b2c3d --query 'Subnets[].SubnetId' --output text"
        script = f". {file} && aws s3 mb s3://first && aws s3 ls && aws configure list | grep -c us-east-1 && {subnets}"
        said = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, text=True)

        assert said.returncode == 0, said.stderr
        assert "first" in said.stdout
        assert "subnet-0a1b2c3d\tsubnet-0a1b2c3e" in said.stdout
        assert file.stat().st_mode & 0o077 == 0
    assert process.returncode == 0
    assert not file.exists()
    assert not (tmp_path / ".localcloud/cloud.json").exists()


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    said = refused(tmp_path, "--root", ".")

    assert said == "localcloud: --root .: it is not empty and not a localcloud's, and would be emptied: name another folder\n"
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.slow
def test_its_own_folder_is_used_again(tmp_path: Path) -> None:
    with started(tmp_path):
        (tmp_path / ".localcloud/left-behind").touch()
    with started(tmp_path):
        assert not (tmp_path / ".localcloud/left-behind").exists()


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        said = refused(tmp_path, "--port", str(port))

    assert said == f"localcloud: cannot listen on port {port}: Address already in use: choose another or leave --port out\n"


def test_a_folder_in_which_another_one_runs_is_left_to_it(tmp_path: Path) -> None:
    with started(tmp_path):
        described = (tmp_path / ".localcloud/cloud.json").read_text()

        said = refused(tmp_path)

        assert said == (
            "localcloud: --root .localcloud: another localcloud runs there, and its folder would be emptied:"
            " end it, or name another folder\n"
        )
        assert (tmp_path / ".localcloud/cloud.json").read_text() == described


@pytest.mark.parametrize(
    ("flag", "option", "variable"),
    [
        ("--interrupt", ["--interrupt", "often"], {}),
        ("--interrupt", [], {"LOCALCLOUD_INTERRUPT": "often"}),
        ("--lose-hosts", [], {"LOCALCLOUD_LOSE_HOSTS": "often"}),
    ],
)
def test_interruptions_that_cannot_be_read_are_refused(tmp_path: Path, flag: str, option: list[str], variable: dict[str, str]) -> None:
    command = [sys.executable, "-m", "localcloud", *option]
    done = subprocess.run(command, cwd=tmp_path, env=environment() | variable, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith(f"argument {flag}: often: accepted is TIMES/SECONDS/SEED, such as 1/20/7")
