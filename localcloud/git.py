"""The repository that CodeConnections would reach: a bare one on this machine, whose pushes start pipelines."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.cloud import cloud
from localcloud.errors import invalid

ROUTE = "/localcloud/push"
NOTHING = "0" * 40
_archiving = threading.Lock()
HOOK = Path(__file__).with_name("hook.py")


@dataclass(frozen=True)
class Push:
    """A branch moved to `commit`; `paths` are the files that changed on the way."""

    branch: str
    commit: str
    paths: tuple[str, ...]
    trigger: dict[str, str] = field(default_factory=lambda: {"triggerType": "WebhookV2", "triggerDetail": "git push"})


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
            changed = ["diff", "--name-only", old, new] if old != NOTHING else ["ls-tree", "-r", "--name-only", new]
            pushes.append(Push(ref.removeprefix("refs/heads/"), new, tuple(_git(*changed).splitlines())))
    return pushes


def wants(trigger: dict[str, Any], push: Push) -> bool:
    """Whether a V2 pipeline's trigger (CodePipeline's GitConfiguration) starts on this push."""
    configuration = trigger["gitConfiguration"]
    if "pullRequest" in configuration:
        raise invalid("localcloud has no pull requests: remove pullRequest from the trigger")
    return any(
        _chosen(rule.get("branches"), [push.branch]) and _chosen(rule.get("filePaths"), push.paths)
        for rule in configuration.get("push", [])
        if "tags" not in rule
    )


def _chosen(rule: dict[str, list[str]] | None, names: Any) -> bool:
    if rule is None:
        return True
    included = [n for n in names if any(_glob(p).fullmatch(n) for p in rule.get("includes", ["**"]))]
    return any(not any(_glob(p).fullmatch(n) for p in rule.get("excludes", [])) for n in included)


def _glob(pattern: str) -> re.Pattern[str]:
    """CodePipeline's glob: `**` crosses folders, `*` and `?` do not."""
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join({"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in parts))


def head(branch: str) -> str:
    """The branch's newest commit. Raises an AWS error when nothing was pushed yet."""
    where = ["git", "-C", str(repository()), "rev-parse", "--verify", f"refs/heads/{branch}"]
    found = subprocess.run(where, capture_output=True, text=True)
    if found.returncode:
        raise invalid(f"branch {branch} does not exist in the repository: push to {repository()} first")
    return found.stdout.strip()


def facts(commit: str, branch: str, repository_id: str) -> dict[str, str]:
    """The variables that a CodeStarSourceConnection action sets."""
    date, author, email, message = _git("show", "--no-patch", "--format=%aI%n%an%n%ae%n%B", commit).split("\n", 3)
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


def _git(*arguments: str) -> str:
    where = ["-C", str(repository())] if arguments[0] != "init" else []
    return subprocess.run(["git", *where, *arguments], check=True, capture_output=True, text=True).stdout
