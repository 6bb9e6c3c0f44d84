"""Commits and pushes of a clone: a dirty tree is pushed whole, and the person's branch, index and files stay as they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.problem import Problem
from cli.repository import AUTHOR, Clone


def git(folder: Path, *arguments: str) -> str:
    env = {**AUTHOR, "PATH": "/usr/bin:/bin:/usr/local/bin"}
    return subprocess.run(["git", "-C", str(folder), *arguments], env=env, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository whose hook says something, as localcloud's does."""
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    hook = tmp_path / "remote.git/hooks/post-receive"
    hook.write_text("#!/bin/sh\necho started acme-churn\n")
    hook.chmod(0o755)
    return tmp_path / "remote.git"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone with one commit: a.txt, b.txt, and a .gitignore."""
    root = tmp_path / "clone"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "work")
    for name in ("a.txt", "b.txt"):
        (root / name).write_text("one\n")
    (root / ".gitignore").write_text("ignored\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    return Clone(root)


def test_a_clean_tree_is_its_head(clone: Clone) -> None:
    assert not clone.dirty()
    assert clone.snapshot() == clone.head()


def test_a_dirty_tree_is_pushed_whole_and_left_alone(clone: Clone, remote: Path) -> None:
    (clone.root / "a.txt").write_text("two\n")
    (clone.root / "b.txt").unlink()
    (clone.root / "new.txt").write_text("new\n")
    (clone.root / "ignored").write_text("secret\n")
    git(clone.root, "add", "new.txt")
    before = (clone.head(), git(clone.root, "status", "--porcelain"), git(clone.root, "branch", "--list"))

    said = clone.push(clone.snapshot(), remote=str(remote), branch="main")

    assert said == "started acme-churn"
    assert git(remote, "ls-tree", "--name-only", "main").split() == [".gitignore", "a.txt", "new.txt"]
    assert git(remote, "show", "main:a.txt") == "two"
    assert git(remote, "rev-parse", "main~1") == clone.head()
    assert (clone.head(), git(clone.root, "status", "--porcelain"), git(clone.root, "branch", "--list")) == before


def test_a_tree_without_a_commit_can_be_pushed(tmp_path: Path, remote: Path) -> None:
    root = tmp_path / "young"
    root.mkdir()
    git(root, "init", "--quiet")
    (root / "a.txt").write_text("one\n")
    young = Clone(root)

    young.push(young.snapshot(), remote=str(remote), branch="main")

    assert git(remote, "show", "main:a.txt") == "one"
    assert young.head() is None


def test_a_shallow_clone_can_be_pushed(clone: Clone, tmp_path: Path, remote: Path) -> None:
    (clone.root / "a.txt").write_text("two\n")
    git(clone.root, "commit", "--all", "--quiet", "--message", "second")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{clone.root}", "shallow")
    shallow = Clone(tmp_path / "shallow")

    shallow.push("HEAD", remote=str(remote), branch="main")

    assert git(remote, "rev-parse", "main") == clone.head()


def test_a_refused_push_says_why(clone: Clone, remote: Path) -> None:
    clone.push("HEAD", remote=str(remote), branch="main")
    git(clone.root, "commit", "--amend", "--quiet", "--message", "another")

    with pytest.raises(Problem, match="rejected"):
        clone.push("HEAD", remote=str(remote), branch="main")


def test_outside_git_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is not a git repository"):
        Clone(tmp_path).snapshot()


def test_every_change_can_be_committed_first(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AUTHOR.items():
        monkeypatch.setenv(name, value)
    (clone.root / "new.txt").write_text("new\n")

    clone.commit_all("second")

    assert not clone.dirty()
    assert git(clone.root, "log", "--format=%s", "--reverse").split() == ["first", "second"]
