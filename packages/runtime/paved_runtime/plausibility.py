"""Whether a result is too good to be true. Then no gate fails: a person is asked, and is told which columns to look at.

A leak that no check of the data has found still shows: as a model that is much better than the one before it, or than anybody expected.
"""

from __future__ import annotations

from collections.abc import Iterator

from paved_runtime import comparison
from paved_runtime.differences import Difference
from paved_runtime.holdout import Holdout
from paved_runtime.reasons import Reasons
from paved_runtime.spec import Gates
from paved_runtime.verdict import Verdict, asked_above

GATE = "plausibility"
NAMED = 5  # columns
NOT_KNOWN = "each of its columns is filled, before you approve: which of them move its scores is not known, as it gives no reasons"


def judge(figure: float, holdout: Holdout, difference: Difference | None, reasons: Reasons | None, gates: Gates) -> Iterator[Verdict]:
    """One verdict on the model alone, and one on its lead over the champion where the two were compared."""
    columns = f"the columns that move its scores most are filled, before you approve: {_weightiest(reasons)}" if reasons else NOT_KNOWN
    advice = f"ask when {columns}; "
    advice += "if all of them are known in time, raise "
    task, key = holdout.task, f"suspicious_{holdout.task.headline}"
    yield asked_above(GATE, task.title, figure, getattr(gates, key), advice=f"{advice}gates.{key}")
    champion, rule = holdout.champion, gates.champion
    if champion and difference and rule.compare and comparison.comparable(holdout, champion):
        limit = f"{advice}gates.champion.suspicious_gain for this push"
        yield asked_above(GATE, comparison.subject(holdout), difference.value, rule.suspicious_gain, advice=limit)


def _weightiest(reasons: Reasons) -> str:
    """The columns with the greatest share of what moves the scores, each with it."""
    importance = reasons.importance
    total = sum(column["mean_contribution"] for column in importance) or 1.0
    return ", ".join(f"{column['column']} ({column['mean_contribution'] / total:.0%})" for column in importance[:NAMED])
