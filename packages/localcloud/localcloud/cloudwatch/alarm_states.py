"""The state of an alarm from its datapoints, with CloudWatch's rules for M of N and for missing data, and why it is in it.

The rules are those of "Configuring how CloudWatch alarms treat missing data": up to EXTRA older periods stand in for missing ones,
and what is still missing is filled as the alarm says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA = 2  # periods before the evaluation periods that CloudWatch looks at when data are missing
TREATMENTS = {"missing": "Missing", "ignore": "Ignore", "breaching": "Breaching", "notBreaching": "NonBreaching"}


def state(points: Sequence[bool | None], *, needed: int, periods: int, missing: str, current: str) -> str:
    """The state of an alarm from the periods of its evaluation range, oldest first: breaching, not breaching, or missing (None).

    `needed` of `periods` must breach; `missing` is TreatMissingData; `current` is kept where CloudWatch keeps it. Where all there is
    breaches, and the oldest is `needed` periods old, CloudWatch goes into ALARM without waiting for more.
    """
    real = [p for p in points if p is not None][-periods:]
    breaching, absent = sum(real), periods - len(real)
    if breaching >= needed or (missing == "breaching" and breaching + absent >= needed):
        return ALARM
    if absent and missing in ("missing", "ignore") and all(real):
        if missing == "ignore":
            return current
        if not real:
            return UNKNOWN
        oldest = next(age for age, p in zip(range(len(points), 0, -1), points, strict=True) if p)
        return ALARM if oldest >= needed else OK
    return OK


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One that changed a state. `datapoints` are (seconds since 1970, value), oldest first; `comparison` is in words."""

    old: str
    new: str
    datapoints: Sequence[tuple[float, float]]
    comparison: str
    threshold: float
    needed: int
    periods: int
    missing: str

    @property
    def reason(self) -> str:
        """CloudWatch's StateReason."""
        if self.new == UNKNOWN:
            return f"Insufficient Data: {_datapoints(self.periods)} {_were(self.periods)} unknown."
        if not self.datapoints:
            ended = f"{self.periods} period{'' if self.periods == 1 else 's'}"
            filled = f"{self.periods} missing {_datapoints(self.periods).partition(' ')[2]} {_were(self.periods)}"
            treated = f"treated as [{TREATMENTS[self.missing]}]"
            return f"Threshold Crossed: no datapoints were received for {ended} and {filled} {treated}."
        listed = ", ".join(f"{float(v)} ({datetime.fromtimestamp(t, UTC):%d/%m/%y %H:%M:%S})" for t, v in reversed(self.datapoints))
        comparison = self.comparison if self.new == ALARM else f"not {self.comparison}"
        count = len(self.datapoints)
        return (
            f"Threshold Crossed: {count} out of the last {self.periods} datapoints [{listed}] {_were(count)} {comparison} the threshold"
            f" ({float(self.threshold)}) (minimum {_datapoints(self.needed)} for {self.old} -> {self.new} transition)."
        )


def _datapoints(count: int) -> str:
    return f"{count} datapoint{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
