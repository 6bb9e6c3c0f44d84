"""The JSONPath expressions by which a transform job says what of a record its model gets, and what of the result is kept.

Of the operators that SageMaker's guide lists ("Associate Prediction Results with Input Records") these are the root, names by dot and in
brackets, indexes and slices. Whatever else there is, descent, wildcards, filters, functions, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

QUOTED = r"'[^']*'|\"[^\"]*\""
PLACE = r"-?\d+|(?:-?\d+)?:(?:-?\d+)?"
STEP = re.compile(
    rf"\.(?P<name>[A-Za-z_][\w-]*)"
    rf"|\[\s*(?P<names>(?:{QUOTED})(?:\s*,\s*(?:{QUOTED}))*)\s*\]"
    rf"|\[\s*(?P<places>(?:{PLACE})(?:\s*,\s*(?:{PLACE}))*)\s*\]"
)
Step = tuple[str, ...] | tuple[int | slice, ...]  # names of an object's members, or places in an array


class Absent(Exception):
    """What an expression selects is not there."""


@dataclass(frozen=True)
class Path:
    """One expression. Without steps it selects everything."""

    text: str
    steps: tuple[Step, ...]

    def select(self, value: Any) -> Any:
        """What it selects: the value itself where it names one thing, else an object or an array of what it names.

        Raises Absent: a name or an index is not there.
        """
        for step in self.steps:
            value = self._step(step, value)
        return value

    def _step(self, step: Step, value: Any) -> Any:
        try:
            if isinstance(step[0], str):
                return value[step[0]] if len(step) == 1 else {name: value[name] for name in step}
            return value[step[0]] if len(step) == 1 and isinstance(step[0], int) else _at(step, value)
        except (KeyError, IndexError, TypeError) as problem:
            raise Absent(f"{self.text} selects what is not there: {problem}") from problem


def _at(places: Step, array: Any) -> list[Any]:
    return [item for place in places for item in (array[place] if isinstance(place, slice) else [array[place]])]


def parsed(text: str) -> Path:
    """Raises ValueError for an expression that is not understood here."""
    steps, at = list[Step](), 1
    while text.startswith("$") and at < len(text):
        match = STEP.match(text, at)
        if match is None or (steps and (len(steps[-1]) > 1 or isinstance(steps[-1][0], slice))):
            break
        steps.append(_read(match))
        at = match.end()
    if not text.startswith("$") or at < len(text):
        raise ValueError(f"{text}: accepted is $ with names and places, such as $.row, $['id','SageMakerOutput'], $[0], $[0,5:] or $[1:]")
    return Path(text, tuple(steps))


def _read(match: re.Match[str]) -> Step:
    if match["name"]:
        return (match["name"],)
    if match["names"]:
        return tuple(quoted[1:-1] for quoted in re.findall(QUOTED, match["names"]))
    return tuple(_place(place.strip()) for place in match["places"].split(","))


def _place(text: str) -> int | slice:
    first, colon, last = text.partition(":")
    return slice(int(first) if first else None, int(last) if last else None) if colon else int(text)
