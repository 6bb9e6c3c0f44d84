"""Champion and challenger: is the one no worse than the other on the same rows? Two questions are asked of their difference, each
one-sided:

- overall, is the challenger no worse than a margin (non-inferiority)? Only if the lower bound is at or above -margin: few rows fail.
- in a slice, is the challenger shown to be worse? Only if the upper bound, at a confidence corrected for the number of slices that are
  judged (Bonferroni: 1 - (1 - confidence) / slices), is below -slice_margin: few rows pass, or chance alone would refuse good models.

Rows that the champion was trained on are left out of both: it knows their outcomes.
"""

from __future__ import annotations

from paved_runtime.differences import Difference
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.spec import Champion as Rule
from paved_runtime.table import Mask
from paved_runtime.verdict import Verdict, at_least, reported

GATE = "champion"
COMPARABLE = 0.99  # share of the rows it was not trained on that the champion must have scored
OUTCOMES = 25  # rows of an outcome, once those that it was trained on are left out; with fewer, nothing can be said
UNKNOWN = "the champion does not know which rows it was trained on: held-out ones may be among them"


def between(holdout: Holdout, rows: Mask, confidence: float, least: int = OUTCOMES) -> Difference | None:
    """The difference in some of the rows, as far as the champion has scored them and was not trained on them.

    Of several outcomes, those with fewer rows than `least` are left out, if not for all but one of them it is so. None where an outcome, or
    the champion, is missing.
    """
    if holdout.champion is None:
        return None
    common = rows & holdout.champion.comparable
    labels, challenger, champion = holdout.labels[common], holdout.challenger[common], holdout.champion.scores[common]
    return holdout.task.difference(labels, challenger, champion, confidence, least) if holdout.task.fewest(labels) else None


def subject(holdout: Holdout) -> str:
    """What is compared."""
    return f"{holdout.task.title}, challenger minus champion"


def judged(champion: Champion | None, rule: Rule) -> bool:
    """Whether the champion takes part in the verdicts."""
    return champion is not None and rule.compare


def judge(holdout: Holdout, overall: Difference | None, rule: Rule) -> Verdict:
    """The verdict over all rows; `overall` is the difference in them."""
    champion = holdout.champion
    if champion is None:
        return reported(GATE, subject(holdout), None, why="there is no champion yet: the absolute floors alone decide")
    if not rule.compare:
        value = overall.value if overall else None
        return reported(
            GATE, subject(holdout), value, why="gates.champion.compare is false in model.toml: the absolute floors alone decide"
        )
    if overall is None or not comparable(holdout, champion):
        return _incomparable(holdout, champion)
    return at_least(GATE, f"{subject(holdout)}, lower bound", overall.low, -rule.margin, advice=_worse(overall, champion, rule))


def comparable(holdout: Holdout, champion: Champion) -> bool:
    """Whether the champion has scored enough of the rows that it was not trained on, and enough of these are there."""
    left_out = not champion.unseen.all()
    return _share(champion) >= COMPARABLE and (not left_out or _rarer(holdout, champion) >= OUTCOMES)


def _share(champion: Champion) -> float:
    """Of the rows that the champion was not trained on, the share that it has scored."""
    return float(champion.scored[champion.unseen].mean()) if champion.unseen.any() else 1.0


def _rarer(holdout: Holdout, champion: Champion) -> int:
    """How many rows of the rarer outcome there are to compare on."""
    return holdout.task.fewest(holdout.labels[champion.comparable])


def _incomparable(holdout: Holdout, champion: Champion) -> Verdict:
    leave = "set gates.champion.compare = false in model.toml for this push; the evidence will show it"
    share, seen = _share(champion), int((~champion.unseen).sum())
    if share < COMPARABLE or not seen:
        why = "the champion's own contract refuses the other rows"
        why = f"the champion cannot be compared ({champion.reason})" if champion.reason else why
        return at_least(GATE, "held-out rows that the champion can score", share, COMPARABLE, advice=f"{why}: {leave}")
    why = f"the champion was trained on {seen} of the {len(holdout)} held-out rows, and too few others remain"
    what = f"held-out rows {holdout.task.few} that the champion was not trained on"
    return at_least(GATE, what, _rarer(holdout, champion), OUTCOMES, advice=f"{why}: {leave}")


def _worse(overall: Difference, champion: Champion, rule: Rule) -> str:
    sure = f"{rule.confidence:.4g}"
    if overall.value < -rule.margin:
        seen = f"; {UNKNOWN}, and then leave it out with gates.champion.compare = false" if champion.trained is None else ""
        return f"the challenger is worse by {-overall.value:.4f}: train a better one{seen}"
    unsure = f"the difference is {overall.value:+.4f}, but a loss beyond the margin cannot be excluded with confidence {sure}"
    return f"{unsure}: train a better challenger, or hold out more rows (data.holdout)"
