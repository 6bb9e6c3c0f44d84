"""A gate's word on one thing: the value found, what is accepted, and what to do. What is not a number never passes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Comparison = Literal["<=", ">=", "==", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`passed` is None where something is reported and not judged, or left to a person, who is told what is usual by `comparison` and
    `threshold`; `advice` then says why. A verdict that passed needs none.
    """

    gate: str
    subject: str
    passed: bool | None
    found: float | str | None
    comparison: Comparison
    threshold: float | str | None
    advice: str

    def __str__(self) -> str:
        found, threshold = (f"{value:.6g}" if isinstance(value, float) else str(value) for value in (self.found, self.threshold))
        accepted = " ".join(part for part in (self.comparison, threshold) if part)
        return f"{self.gate}: {self.subject}: found {found}, accepted is {accepted}: {self.advice}"

    def as_json(self) -> dict[str, Any]:
        """The verdict as it stands in evaluation.json."""
        return asdict(self)


def at_least(gate: str, subject: str, value: float, threshold: float, *, advice: str) -> Verdict:
    """Passes when `value` is `threshold` or more. `advice` is what to do when it does not."""
    return _judged(gate, subject, value, ">=", threshold, advice, passed=value >= threshold)


def at_most(gate: str, subject: str, value: float, threshold: float, *, advice: str) -> Verdict:
    """Passes when `value` is `threshold` or less. `advice` is what to do when it does not."""
    return _judged(gate, subject, value, "<=", threshold, advice, passed=value <= threshold)


def asked_above(gate: str, subject: str, value: float, threshold: float, *, advice: str) -> Verdict:
    """Passes when `value` is `threshold` or less; above it, a person decides. `advice` is what to look at then."""
    verdict = at_most(gate, subject, value, threshold, advice=advice)
    return replace(verdict, passed=None) if math.isfinite(value) and value > threshold else verdict


def reported(gate: str, subject: str, value: float | None, *, why: str) -> Verdict:
    """Judges nothing; `why` says what kept it from judging."""
    found = None if value is None or not math.isfinite(value) else _short(value)
    return Verdict(gate=gate, subject=subject, passed=None, found=found, comparison="", threshold=None, advice=why)


def _judged(gate: str, subject: str, value: float, comparison: Comparison, threshold: float, advice: str, *, passed: bool) -> Verdict:
    number = math.isfinite(value)
    return Verdict(
        gate=gate,
        subject=subject,
        passed=bool(passed and number),
        found=_short(value) if number else "not a number",
        comparison=comparison,
        threshold=threshold,
        advice="" if passed and number else advice,
    )


def _short(number: float) -> float:
    """Six digits: what is written is what a person can read and compare, and the same on every machine."""
    return float(f"{number:.6g}")
