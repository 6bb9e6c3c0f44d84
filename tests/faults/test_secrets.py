"""A credential that somebody forgot in the tree blocks the check, with its file and line; it is never shown.

The credentials here are put together as they run, for the check reads this file as well.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import secrets
from cli.tree import HERE
from tests.reference import MODEL
from tests.support.environments import with_fake_uv
from tests.support.tree import reference_tree

pytestmark = pytest.mark.fault("secret in the repository")

KEY, TOKEN = "AKIA" + "Q7Z2M4X6N8B1C3D5", "ghp_" + "aB3" * 12
PEM = "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEowIBAAKCAQEA\n"
FILE = f"model_code/{MODEL}/train.py"
PLANTED = {
    FILE: (f'client = boto3.client("s3", aws_access_key_id="{KEY}")\n', "AWS Access Key"),
    "config.py": (f"# clone with {TOKEN}\n", "GitHub Token"),
    "stacks/key.pem": (PEM, "Private Key"),
    "docs/where.md": ("https://reader:" + "correcthorse@example.com/index\n", "Basic Auth Credentials"),
    ".env": ("AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENGbPxRfiCYzzzzzzzKEY9\n", "Token or secret key"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree with credentials in it, without a repository: as the Build stage has it."""
    root = tmp_path_factory.mktemp("copy") / "tree"
    for file in secrets.pushable(HERE):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        if (HERE / file).is_file():
            shutil.copy(HERE / file, root / file)
    for file, (text, _) in PLANTED.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        with (root / file).open("a") as stream:
            stream.write(text)
    return root


def line(root: Path, file: str) -> int:
    """Where in a file its credential is: at the end."""
    return len((root / file).read_text().splitlines()) - PLANTED[file][0].count("\n") + 1


def test_each_is_named_by_file_line_and_kind(copy: Path) -> None:
    expected = {(file, line(copy, file), kind) for file, (_, kind) in PLANTED.items()}

    assert {(finding.file, finding.line, finding.kind) for finding in secrets.findings(copy)} == expected


def test_this_tree_has_none() -> None:
    assert secrets.findings(HERE) == []


def test_it_blocks_the_check_of_a_model_and_is_not_shown(tmp_path: Path) -> None:
    tree, (text, _) = reference_tree(tmp_path / "tree"), PLANTED[FILE]
    command = [sys.executable, "-m", "cli", "check", "--model", MODEL, "--json"]

    def check() -> tuple[bool, str]:
        """How the check for secrets ends, and what it prints."""
        done = subprocess.run(command, cwd=tree, env=with_fake_uv(tree, tmp_path), capture_output=True, text=True)
        (result,) = (result for result in json.loads(done.stdout) if result["name"] == "secrets")
        assert done.returncode == 1 or result["ok"]
        return result["ok"], result["output"]

    (tree / FILE).write_text(text)
    ok, printed = check()
    assert not ok
    assert f"{FILE}:1: AWS Access Key: take it out" in printed
    assert KEY not in printed
    (tree / FILE).unlink()
    assert check()[0]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("ignored\n")
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True)


@pytest.mark.parametrize(
    ("file", "add", "pushed"), [("new", (), True), ("ignored", (), False), ("ignored", ("add", "--force", "ignored"), True)]
)
def test_what_git_would_take_counts(repository: Path, file: str, add: tuple[str, ...], pushed: bool) -> None:
    (repository / file).write_text(KEY)
    if add:
        git(repository, *add)

    assert bool(secrets.findings(repository)) is pushed


@pytest.mark.parametrize(
    "text",
    [
        f"{KEY}  # pragma: allowlist secret",
        "https://reader:{password}@example.com",
        "https://reader:$PASSWORD@example.com",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/lead@sha256:" + "0f" * 32,
        "arn:aws:kms:eu-west-1:123456789012:key/0b2c1f9e-3f2d-4c1b-9a55-0c1d2e3f4a5b",
        "\0" + KEY,
    ],
)
def test_what_is_no_secret_is_let_through(repository: Path, text: str) -> None:
    (repository / "file").write_text(text)

    assert secrets.findings(repository) == []


def test_what_is_not_there_to_read_is_passed_over(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "key"
    elsewhere.write_text(KEY)
    (repository / "link").symlink_to(elsewhere)
    (repository / "gone").write_text("x")
    git(repository, "add", "gone")
    (repository / "gone").unlink()

    assert secrets.findings(repository) == []
