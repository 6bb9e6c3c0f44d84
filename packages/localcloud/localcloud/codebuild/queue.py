"""The queue of builds: as many run at once as the account may have of their platform and compute type, and others wait for their turn.

By "Builds in AWS CodeBuild" in its user guide. It says that nobody can tell in which order builds start; here the first come first.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.codebuild import quotas
from localcloud.core.errors import error

WAITING = 5  # times as many builds may wait as may run
LONGEST = 480  # minutes that a build waits, where its project says nothing else
_turns: list[Turn] = []  # of builds that wait or run, in the order in which they were started
_lock = threading.Lock()


@dataclass(eq=False)
class Turn:
    """The turn of a build of `project`, one of the builds of its account and region that count for `quota`; `came` once it may run."""

    account: str
    region: str
    project: str
    quota: str
    came: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        """Let others run: the build has ended, or waits no longer."""
        with _lock:
            _turns.remove(self)
            _next(self)


def take(account: str, region: str, project: Mapping[str, Any]) -> Turn:
    """A turn for one build of a project. Raises CodeBuild's error where too many run of the project, or wait."""
    turn = Turn(account, region, project["name"], quotas.name(project))
    with _lock:
        limit = project.get("concurrentBuildLimit")
        if limit and sum(1 for other in _beside(turn) if other.project == turn.project) >= limit:
            raise error("AccountLimitExceededException", f"Cannot have more than {limit} active builds for the project")
        most, waiting = quotas.value(turn.quota), [other for other in _beside(turn) if not other.came.is_set()]
        if len(_beside(turn)) >= most and len(waiting) >= WAITING * most:
            raise error("AccountLimitExceededException", f"Cannot have more than {WAITING * most} builds in queue for the account")
        _turns.append(turn)
        _next(turn)
    return turn


def _next(turn: Turn) -> None:
    """Let the first that wait run, as far as there is room."""
    beside = _beside(turn)
    running = sum(1 for other in beside if other.came.is_set())
    for other in [other for other in beside if not other.came.is_set()][: max(0, quotas.value(turn.quota) - running)]:
        other.came.set()


def _beside(turn: Turn) -> list[Turn]:
    key = (turn.account, turn.region, turn.quota)
    return [other for other in _turns if (other.account, other.region, other.quota) == key]
