"""What commands need of git: what would be pushed, and a commit of a dirty tree that leaves the person's branch alone."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli import sessions
from cli.problem import Problem, one_line

AUTHOR = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "road"), ("EMAIL", "road@localhost"))}
# The receiving side lies on this machine and refuses a shallow clone unless it is told to take it.
TAKE_SHALLOW = "git -c receive.shallowUpdate=true receive-pack"


@dataclass(frozen=True)
class Clone:
    """A working tree at `root`. Every method raises Problem, in git's words, when git refuses."""

    root: Path

    def dirty(self) -> bool:
        """Whether there are changes that no commit has."""
        return bool(self.git("status", "--porcelain"))

    def head(self) -> str | None:
        """The current commit; None before the first."""
        commit = self._run("rev-parse", "--verify", "--quiet", "HEAD")
        if commit.returncode and self._run("rev-parse", "--git-dir").returncode:
            raise Problem("git", f"{self.root} is not a git repository", "git clone it, or: git init")
        return commit.stdout.strip() or None

    def snapshot(self) -> str:
        """A commit of the whole working tree, ignored files left out: HEAD itself when the tree is clean.

        Made with an index of its own, so branch, index and working tree stay as they are.
        """
        head = self.head()
        if head and not self.dirty():
            return head
        with tempfile.TemporaryDirectory() as folder:
            own = {"GIT_INDEX_FILE": str(Path(folder) / "index"), **AUTHOR}
            if head:
                self.git("read-tree", head, env=own)
            self.git("add", "--all", env=own)
            tree = self.git("write-tree", env=own)
            parent = ["-p", head] if head else []
            return self.git("commit-tree", tree, *parent, "-m", "Working tree, with changes that are not committed", env=own)

    def commit_all(self, message: str) -> None:
        """Commit every change on the person's branch."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def push(self, commit: str, *, remote: str, branch: str) -> str:
        """Push `commit` to a branch of a repository on this machine, whose hooks call localcloud; returns what the remote said."""
        refs = f"{commit}:refs/heads/{branch}"
        pushed = self._run("push", "--quiet", f"--receive-pack={TAKE_SHALLOW}", remote, refs, env=sessions.no_proxy(os.environ))
        if pushed.returncode:
            lines = [line for line in pushed.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
            why = next((line for line in lines if "rejected" in line), lines[-1] if lines else "git said nothing")
            raise Problem(f"git push to {remote}", why.strip(" !"), f"git pull {remote} {branch}, or ./road down for an empty remote")
        return "\n".join(line.removeprefix("remote: ").rstrip() for line in pushed.stderr.splitlines() if line.startswith("remote: "))

    def git(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run git here and return what it printed."""
        done = self._run(*arguments, env=env)
        if done.returncode:
            raise Problem(f"git {arguments[0]} failed", one_line(done.stderr) or "git said nothing", "repair it and try again")
        return done.stdout.strip()

    def _run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(self.root), *arguments], env={**os.environ, **(env or {})}, capture_output=True, text=True)
