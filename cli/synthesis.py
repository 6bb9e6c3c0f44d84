"""What a model's `synthetic.py` is made of: each column as a whole, and a logistic rule that tells the outcome as well as the real ones do.

A column's part of the rule is that of naive Bayes: how much likelier the outcome is among the rows with this value, or in this tenth of the
numbers. As columns repeat each other, all parts are then made smaller or larger together. No cell and no row of the real data is kept.
"""

from __future__ import annotations

import bisect
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cli import rows
from cli.profiles import Profile
from paved_runtime import dates
from paved_runtime.spec import Boolean, Category, Date, Integer, Text
from paved_runtime.spec import Column as Declared
from paved_runtime.synthetic import Column, Dates, Identifiers, Numbers, Outcome, Values, Words

TENTHS = 10
PRIOR = 20  # rows of the average outcome that every value begins with
DRAWN = 4000  # rows that are drawn to see what a rule gives
ROUNDS = 12  # halvings of an interval
DIGITS = 3  # of what is written down


def rule(profile: Profile, roc_auc: float) -> tuple[dict[str, Column], Outcome]:
    """The columns and the outcome. `roc_auc` is how well the rule should tell the outcome."""
    parts = {name: _column(profile, name, column) for name, column in profile.columns.items()}
    sums = _sums(parts)
    scale = _bisect(lambda factor: _area(_log_odds(sums, factor, profile.positive_share)) < roc_auc, 0.05, 5.0)
    intercept = _intercept([scale * each for each in sums], profile.positive_share)
    outcome = Outcome(target=profile.target, positive=profile.positive, negative=profile.negative, intercept=round(intercept, 4))
    return _scaled(parts, scale), outcome


def source(column: Column) -> str:
    """A column as Python."""
    if isinstance(column, Identifiers):
        return f"Identifiers(count={column.count})"
    missing = f", missing={column.missing}" if column.missing else ""
    if isinstance(column, Words):
        return f"Words(least={column.least}, most={column.most}, longest={column.longest}{missing})"
    if isinstance(column, Values):
        return f"Values(weights={_mapping(column.weights)}, lift={_mapping(column.lift)}{missing})"
    if isinstance(column, Dates):
        return f"Dates(quantiles={list(column.quantiles)!r}, lift={_sequence(column.lift)}{missing})"
    whole = ", whole=True" if column.whole else ""
    return f"Numbers(quantiles={_sequence(column.quantiles)}, lift={_sequence(column.lift)}{whole}{missing})"


def _column(profile: Profile, name: str, declared: Declared) -> Column:
    cells = profile.cells[name]
    positive = [label == profile.positive for label in profile.cells[profile.target]]
    empty = isinstance(declared, Category) and "" in declared.values
    present = [(cell, label) for cell, label in zip(cells, positive, strict=True) if cell or empty]
    missing = round(1 - len(present) / len(cells), DIGITS)
    base = profile.positive_share
    if isinstance(declared, Category | Boolean):
        counts = Counter(cell for cell, _ in present)
        hits = Counter(cell for cell, label in present if label)
        lift = {value: _lift(hits[value], counts[value], base) for value in declared.cells}
        return Values(weights={value: _short(counts[value] / len(present)) for value in declared.cells}, lift=lift, missing=missing)
    if isinstance(declared, Text):
        words = sorted(len(cell.split()) for cell, _ in present)
        return Words(least=max(1, words[0]), most=max(1, words[-1]), longest=declared.maximum_length, missing=missing)
    numbers = sorted((rows.number(cell, declared), label) for cell, label in present)
    quantiles = [_within(numbers[round(tenth / TENTHS * (len(numbers) - 1))][0], declared) for tenth in range(TENTHS + 1)]
    tenths = [(max(0, min(bisect.bisect_right(quantiles, number), TENTHS) - 1), label) for number, label in numbers]
    count, positives = Counter(tenth for tenth, _ in tenths), Counter(tenth for tenth, label in tenths if label)
    lifts = [_lift(positives[tenth], count[tenth], base) for tenth in range(TENTHS)]
    if isinstance(declared, Date):
        return Dates(quantiles=list(map(dates.written, quantiles)), lift=lifts, missing=missing)
    return Numbers(quantiles=quantiles, lift=lifts, whole=isinstance(declared, Integer), missing=missing)


def _within(number: float, declared: Declared) -> float:
    """A quantile in few digits, inside the declared range; of a date, the day."""
    if isinstance(declared, Date):
        return number
    assert not isinstance(declared, Category | Boolean | Text)
    return min(max(_short(number), declared.minimum), declared.maximum)


def _lift(hits: int, count: int, base: float) -> float:
    share = (hits + PRIOR * base) / (count + PRIOR)
    return _short(_logit(share) - _logit(base))


def _scaled(columns: Mapping[str, Column], factor: float) -> dict[str, Column]:
    scaled: dict[str, Column] = {}
    for name, column in columns.items():
        if isinstance(column, Identifiers | Words):
            scaled[name] = column
        elif isinstance(column, Values):
            scaled[name] = replace(column, lift={value: _short(factor * lift) for value, lift in column.lift.items()})
        else:
            scaled[name] = replace(column, lift=[_short(factor * lift) for lift in column.lift])
    return scaled


def _sums(columns: Mapping[str, Column]) -> list[float]:
    """What the columns of drawn rows add together."""
    draw = random.Random(0)  # noqa: S311 - repeatable, not secret
    return [sum(column.draw(draw)[1] for column in columns.values()) for _ in range(DRAWN)]


def _log_odds(sums: Sequence[float], factor: float, share: float) -> list[float]:
    """Of the drawn rows, when every part counts `factor` times, and a `share` of them is positive."""
    scaled = [factor * each for each in sums]
    intercept = _intercept(scaled, share)
    return [intercept + each for each in scaled]


def _intercept(sums: Sequence[float], share: float) -> float:
    """The log-odds with which a `share` of the rows is positive."""
    return _bisect(lambda start: sum(_logistic(start + each) for each in sums) / len(sums) < share, -30.0, 30.0, rounds=40)


def _area(log_odds: Sequence[float]) -> float:
    """The ROC AUC that the true probabilities have: each row counts as positive as far as it is likely to be."""
    chances = sorted(map(_logistic, log_odds))
    below, wins, positives = 0.0, 0.0, sum(chances)
    for chance in chances:
        wins += chance * (below + (1 - chance) / 2)
        below += 1 - chance
    return wins / (positives * (len(chances) - positives))


def _bisect(too_small: Callable[[float], bool], low: float, high: float, *, rounds: int = ROUNDS) -> float:
    for _ in range(rounds):
        middle = (low + high) / 2
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return (low + high) / 2


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _mapping(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{key!r}: {value:g}" for key, value in values.items()) + "}"


def _sequence(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
