"""Whose turn it is: executions of one pipeline stand in its stages, or before them, as its execution mode says."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import ClassVar


class EndedEarly(Exception):
    """An execution goes no further, though nothing in it has failed."""

    status: ClassVar[str]


class Stopped(EndedEarly):
    """The execution was stopped."""

    status = "Stopped"


class Superseded(EndedEarly):
    """A newer execution came to the stage that this one waited for."""

    status = "Superseded"


class Cancelled(EndedEarly):
    """The pipeline's definition has changed."""

    status = "Cancelled"


@dataclass(eq=False)
class Place:
    """Where one execution is. `number` is its place in the order of starts; `position` the stage that it is in, or was in before it waited.

    `waiting` is the stage that it waits for; `ended_early` is why it goes no further; `left` says that it has ended.
    """

    number: int
    mode: str
    position: int = -1
    waiting: int | None = None
    ended_early: type[EndedEarly] | None = None
    left: bool = False


class Turns:
    """The places of one pipeline's executions."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._changed = threading.Condition()

    def arrive(self, mode: str) -> Place:
        """The place of a new execution, before the first stage."""
        with self._changed:
            place = Place(len(self._places), mode)
            self._places.append(place)
            self._stand_before(place, 0)
        return place

    def enter(self, place: Place, stage: int) -> None:
        """Wait for the turn of this execution: in a queue, or as the one that waits for the stage until a newer one comes.

        Raises:
            EndedEarly: it does not go on.
        """
        with self._changed:
            if stage not in (place.waiting, place.position):
                self._stand_before(place, stage)
            self._changed.wait_for(lambda: place.ended_early or self._admitted(place, stage))
            place.waiting = None
            self._changed.notify_all()
            if place.ended_early:
                raise place.ended_early

    def leave(self, place: Place, *, position: int) -> None:
        """The execution has ended, and is no more in any stage."""
        with self._changed:
            place.position, place.left = position, True
            self._changed.notify_all()

    def come_back(self, place: Place) -> None:
        """An execution that has ended goes on."""
        with self._changed:
            place.left, place.ended_early = False, None

    def end(self, place: Place, early: type[EndedEarly]) -> None:
        """Let it wait no more, and go no further. The first reason stays."""
        with self._changed:
            place.ended_early = place.ended_early or early
            self._changed.notify_all()

    def _stand_before(self, place: Place, stage: int) -> None:
        """Of those that wait for a stage in SUPERSEDED mode only the newest goes on."""
        place.waiting = stage
        if place.mode == "SUPERSEDED" and not self._admitted(place, stage):
            rivals = [p for p in self._places if not p.left and not p.ended_early and p.waiting == stage]
            for older in rivals[:-1]:
                older.ended_early = Superseded
            self._changed.notify_all()

    def _admitted(self, place: Place, stage: int) -> bool:
        """Let it into the stage if it is its turn."""
        others = [p for p in self._places if not p.left and p is not place]
        if place.mode == "QUEUED":  # every earlier execution is beyond the stage
            free = all(p.position > stage for p in others if p.number < place.number)
        else:  # nobody is in it
            free = not any(p.position == stage and p.waiting is None for p in others)
        if free and place.waiting is not None:
            place.position, place.waiting = stage, None
        return free
