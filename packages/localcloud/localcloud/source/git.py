"""The repository that CodeConnections would reach: a bare one on this machine, whose pushes start pipelines."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from localcloud.core.cloud import cloud

ROUTE = "/localcloud/push"
NOTHING = "0" * 40
_archiving = threading.Lock()
HOOK = Path(__file__).with_name("hook.py")


@dataclass(frozen=True)
class Push:
    """A branch moved to `commit`; `paths` are the files that changed on the way, of a file that was moved both."""

    branch: str
    commit: str
    paths: tuple[str, ...]


def create(url: str) -> Path:
    """Make the empty repository with the hook that reports pushes to `url`."""
    path = repository()
    _git("init", "--quiet", "--bare", str(path))
    for name in ("pre-receive", "post-receive"):
        hook = path / "hooks" / name
        command = [sys.executable, "-I", "-S", str(HOOK), name, url + ROUTE]
        hook.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
        hook.chmod(0o755)
    return path


def repository() -> Path:
    """Where the bare repository lies: the URL of the git remote."""
    return cloud().root / "repository.git"


def read(lines: str) -> list[Push]:
    """The pushes that git's post-receive hook was told of: `old new ref` a line. Deleted branches count for nothing."""
    pushes = []
    for old, new, ref in (line.split() for line in lines.splitlines()):
        if ref.startswith("refs/heads/") and new != NOTHING:
            pushes.append(Push(ref.removeprefix("refs/heads/"), new, _changed(old, new)))
    return pushes


def _changed(old: str, new: str) -> tuple[str, ...]:
    """The paths themselves, and not as git would print them."""
    listed = ["ls-tree", "-r"] if old == NOTHING else ["diff-tree", "-r", "--no-renames"]
    commits = [new] if old == NOTHING else [old, new]
    paths = _git(*listed, "-z", "--name-only", *commits).decode(errors="surrogateescape")
    return tuple(path for path in paths.split("\0") if path)


def head(branch: str) -> str | None:
    """The branch's newest commit; None when nothing was pushed to it yet."""
    where = ["git", "-C", str(repository()), "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"]
    return subprocess.run(where, capture_output=True, text=True).stdout.strip() or None


def facts(commit: str, branch: str, repository_id: str) -> dict[str, str]:
    """The variables that a CodeStarSourceConnection action sets."""
    described = _git("show", "--no-patch", "--format=%aI%n%an%n%ae%n%B", commit).decode(errors="replace")
    date, author, email, message = described.split("\n", 3)
    return {
        "CommitId": commit,
        "AuthorDate": date,
        "AuthorDisplayName": author,
        "AuthorEmail": email,
        "CommitMessage": message.strip(),
        "BranchName": branch,
        "FullRepositoryName": repository_id,
    }


def archive(commit: str) -> Path:
    """The commit's files as a zip, as CodePipeline hands them to builds: without history."""
    path = cloud().folder("sources") / f"{commit}.zip"
    with _archiving:
        if not path.exists():
            _git("archive", "--format=zip", "--output", str(path), commit)
    return path


def _git(*arguments: str) -> bytes:
    where = ["-C", str(repository())] if arguments[0] != "init" else []
    return subprocess.run(["git", *where, *arguments], check=True, capture_output=True).stdout
