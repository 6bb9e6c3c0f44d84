"""Reads that are late, where a cloud has them so: for `Cloud.reads_late` seconds after a change, readers see what was there before it.

What lags is a `Kind`; who changes things of a kind does it within `changing`, and who reads them asks for what is `stale`. Where reads are
not late, nothing ever is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from localcloud.core.cloud import cloud

_lock = threading.Lock()


class Change(NamedTuple):
    """What was there `before` a change (None: nothing), which is seen until then (seconds of `time.monotonic()`)."""

    until: float
    before: Any


@dataclass(frozen=True, eq=False)
class Kind:
    """Things of one kind that AWS shows late, as its `page` says.

    `now` has those of an account and region by ARN, as values that nobody changes. `service` is whose requests change them; those of
    services that know no regions are the same in all.
    """

    service: str
    page: str
    now: Callable[[str, str], Mapping[str, Any]]
    regional: bool = True

    def stale(self, account: str, region: str) -> dict[str, Any]:
        """Those that are seen as they were, by ARN: None for those that were not there."""
        if not cloud().reads_late:
            return {}
        with _lock:
            changes, now = _changes.get(self._place(account, region), {}), time.monotonic()
            for arn in list(changes):
                changes[arn] = [change for change in changes[arn] if change.until > now]
                if not changes[arn]:
                    del changes[arn]
            return {arn: of[0].before for arn, of in changes.items()}

    @contextmanager
    def changing(self, account: str, region: str) -> Iterator[None]:
        """What the block changes of them is late."""
        if not cloud().reads_late:
            yield
            return
        before = self.now(account, region)
        try:
            yield
        finally:
            self._late(account, region, before, self.now(account, region))

    def _late(self, account: str, region: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        until = time.monotonic() + cloud().reads_late / cloud().speed
        with _lock:
            changes = _changes.setdefault(self._place(account, region), {})
            for arn in {*before, *after}:
                if before.get(arn) != after.get(arn):
                    changes.setdefault(arn, []).append(Change(until, before.get(arn)))

    def _place(self, account: str, region: str) -> tuple[Kind, str, str]:
        return self, account, region if self.regional else ""


_changes: dict[tuple[Kind, str, str], dict[str, list[Change]]] = {}


@contextmanager
def changing(kinds: Sequence[Kind], account: str, region: str) -> Iterator[None]:
    """What the block changes of several kinds is late."""
    with ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(kind.changing(account, region))
        yield


def settle() -> bool:
    """Wait until all that has changed so far is seen; whether anything was not."""
    if not cloud().reads_late:
        return False
    with _lock:
        last = max((change.until for of in _changes.values() for changes in of.values() for change in changes), default=0.0)
    left = last - time.monotonic()
    if left > 0:
        threading.Event().wait(left)
    return left > 0
