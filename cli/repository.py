"""What commands need of git: what would be pushed, and a commit of a dirty tree that leaves the person's branch alone."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cli.problem import Problem, one_line
from cli.tree import HERE

AUTHOR = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "road"), ("EMAIL", "road@localhost"))}
# The receiving side lies on this machine and refuses a shallow clone unless it is told to take it.
TAKE_SHALLOW = "git -c receive.shallowUpdate=true receive-pack"


def dirty() -> bool:
    """Whether there are changes that no commit has."""
    return bool(git("status", "--porcelain"))


def snapshot() -> str:
    """A commit of the whole working tree, ignored files left out: HEAD itself when the tree is clean.

    Made with an index of its own, so branch, index and working tree stay as they are.
    """
    head = _head()
    if head and not dirty():
        return head
    with tempfile.TemporaryDirectory() as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder) / "index"), **AUTHOR}
        if head:
            git("read-tree", head, env=own)
        git("add", "--all", env=own)
        tree = git("write-tree", env=own)
        parent = ["-p", head] if head else []
        return git("commit-tree", tree, *parent, "-m", "Working tree, with changes that are not committed", env=own)


def commit_all(message: str) -> None:
    """Commit every change on the person's branch."""
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def push(commit: str, *, remote: str, branch: str) -> str:
    """Push `commit` to a branch of a repository on this machine; returns what the remote said.

    Raises:
        Problem: git refused, in the words of its last line.
    """
    arguments = ["push", "--quiet", f"--receive-pack={TAKE_SHALLOW}", remote, f"{commit}:refs/heads/{branch}"]
    pushed = _run(*arguments)
    if pushed.returncode:
        lines = [line for line in pushed.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
        why = next((line for line in lines if "rejected" in line), lines[-1] if lines else "git said nothing")
        raise Problem(f"git push to {remote}", why.strip(" !"), f"git pull {remote} {branch}, or ./road down for an empty remote")
    return "\n".join(line.removeprefix("remote: ").rstrip() for line in pushed.stderr.splitlines() if line.startswith("remote: "))


def git(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run git in this clone and return what it printed. Raises Problem with what it complained of."""
    done = _run(*arguments, env=env)
    if done.returncode:
        raise Problem(f"git {arguments[0]} failed", one_line(done.stderr) or "git said nothing", "repair it and try again")
    return done.stdout.strip()


def _head() -> str | None:
    found = _run("rev-parse", "--verify", "--quiet", "HEAD")
    if found.returncode and _run("rev-parse", "--git-dir").returncode:
        raise Problem("git", f"{HERE} is not a git repository", "git clone it, or: git init")
    return found.stdout.strip() or None


def _run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(HERE), *arguments], env={**os.environ, **(env or {})}, capture_output=True, text=True)
