"""The online store of a group: of each record identifier the record with the greatest event time.

A record that is not newer than what is there is history, and does not come here (API PutRecord, DeleteRecord).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from localcloud.featurestore.records import Record, refused


@dataclass(frozen=True, kw_only=True)
class _Kept:
    at: float
    record: Record | None  # None: it was deleted at that time


class OnlineStore:
    """Answers while records are written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, _Kept] = {}

    def put(self, identifier: str, at: float, record: Record) -> None:
        """Keep a record, unless what is there is as new."""
        with self._lock:
            if self._is_newer(identifier, at):
                self._records[identifier] = _Kept(at=at, record=record)

    def delete(self, identifier: str, at: float, *, hard: bool) -> None:
        """Forget a record; a soft deletion leaves its time, so that no older record comes back.

        Raises an AWS error where a hard deletion is not later than the record.
        """
        with self._lock:
            if not self._is_newer(identifier, at):
                if hard:
                    raise refused("EventTime of a HardDelete must be later than the EventTime of the existing record")
            elif hard:
                self._records.pop(identifier, None)
            else:
                self._records[identifier] = _Kept(at=at, record=None)

    def get(self, identifier: str) -> Record | None:
        """The newest record; None where there is none, or none any more."""
        with self._lock:
            kept = self._records.get(identifier)
            return kept.record if kept else None

    def identifiers(self) -> list[str]:
        """Of the records that are there, sorted."""
        with self._lock:
            return sorted(identifier for identifier, kept in self._records.items() if kept.record is not None)

    def _is_newer(self, identifier: str, at: float) -> bool:
        return identifier not in self._records or at > self._records[identifier].at
