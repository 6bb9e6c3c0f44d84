"""`road push`: what a `git push` to localcloud's remote does, without having to know where that remote lies."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import local, target
from cli.output import say
from cli.problem import Problem
from cli.repository import Clone
from cli.tree import HERE
from config import CONFIG


def push(
    *,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Commit every change with this message first.")
    ] = None,
    where: target.Wanted = None,
) -> None:
    """Push HEAD to the repository that localcloud watches. On a real account use plain `git push`."""
    cloud = local.find()
    if cloud is None or where is target.Where.AWS:
        why = "a real account watches the repository of config.py"
        raise Problem("push", why, f"git push origin {CONFIG.repository.branch}; or ./road up for localcloud")
    say(f"target: localcloud {cloud.url}")
    clone = Clone(HERE)
    if message:
        clone.commit_all(message)
    elif clone.dirty():
        say("the working tree has changes that are not committed: they are not pushed (commit them with --message TEXT)")
    said = clone.push("HEAD", remote=cloud.remote, branch=CONFIG.repository.branch)
    print(said or "nothing started: no pipeline watches what changed")
