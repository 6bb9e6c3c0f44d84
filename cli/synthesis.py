"""What a model's `synthetic.py` is made of: each column as a whole, and a rule that tells the target as well as the real columns do.

A column's part of the rule is that of naive Bayes: how much likelier the outcome, or each class, is among the rows with this value, or in
this tenth of the numbers; of a regression, how far their mean is from that of all. As columns repeat each other, all parts are then made
smaller or larger together, or chance is. No cell and no row of the real data is kept.
"""

from __future__ import annotations

import bisect
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from cli import rows
from cli.outcomes import Amounts, Several, Two
from cli.profiles import Profile
from paved_runtime import dates
from paved_runtime.spec import Boolean, Category, Date, Integer, Text
from paved_runtime.spec import Column as Declared
from paved_runtime.synthetic import Amount, Classes, Column, Dates, Identifiers, Lift, Numbers, Outcome, Target, Values, Words

TENTHS = 10
PRIOR = 20  # rows of the average outcome that every value begins with
DRAWN = 4000  # rows that are drawn to see what a rule gives
DRAWN_CELLS = 20_000  # and how many numbers they have, about, where there are classes
ROUNDS = 12  # halvings of an interval
FITTED = 12  # rounds in which classes are made as frequent as they are
SHARES = (
    0,
    0.001,
    0.005,
    0.01,
    *(part / 20 for part in range(1, 20)),
    0.99,
    0.995,
    0.999,
    1,
)  # of a regression's rows: where numbers stand
DIGITS = 3  # of what is written down
Key = TypeVar("Key")
Label = TypeVar("Label")


def rule(profile: Profile, figure: float) -> tuple[dict[str, Column], Target]:
    """The columns and the target. `figure` is how well the rule should tell the target: its mean ROC AUC, or R²."""
    match profile.outcomes:
        case Two() as two:
            return _logistic_rule(profile, two, figure)
        case Several() as several:
            return _rule_of_classes(profile, several, figure)
        case Amounts() as amounts:
            return _rule_of_amounts(profile, amounts, figure)


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


# The rules of each task


def _logistic_rule(profile: Profile, two: Two, roc_auc: float) -> tuple[dict[str, Column], Target]:
    positive = [label == two.positive for label in profile.cells[profile.target]]

    def lift(labels: Sequence[bool]) -> Lift:
        return _lift(sum(labels), len(labels), two.share)

    parts = _columns(profile, positive, lift)
    sums = [sum(map(_number, lifts)) for lifts in _drawn(parts, DRAWN)]
    scale = _bisect(lambda factor: _area(_log_odds(sums, factor, two.share)) < roc_auc, 0.05, 5.0)
    intercept = _intercept([scale * each for each in sums], two.share)
    outcome = Outcome(target=profile.target, positive=two.positive, negative=two.negative, intercept=round(intercept, 4))
    return _scaled(parts, scale), outcome


def _rule_of_classes(profile: Profile, several: Several, roc_auc: float) -> tuple[dict[str, Column], Target]:
    names, shares = list(several.counts), list(several.shares.values())
    places = {name: place for place, name in enumerate(names)}

    def lift(labels: Sequence[int]) -> Lift:
        counts = Counter(labels)
        return [_lift(counts[place], len(labels), share, logarithm=math.log) for place, share in enumerate(shares)]

    parts = _columns(profile, [places[label] for label in profile.cells[profile.target]], lift)
    sums = [_added(lifts, len(names)) for lifts in _drawn(parts, max(DRAWN_CELLS // len(names), DRAWN // 4))]
    scale = _bisect(lambda factor: _mean_area(_fitted(sums, factor, shares)[1]) < roc_auc, 0.02, 5.0)
    intercepts, _ = _fitted(sums, scale, shares)
    return _scaled(parts, scale), Classes(target=profile.target, intercepts=dict(zip(names, map(_short, intercepts), strict=True)))


def _rule_of_amounts(profile: Profile, amounts: Amounts, r2: float) -> tuple[dict[str, Column], Target]:
    def lift(numbers: Sequence[float]) -> Lift:
        return _short(sum(number - amounts.mean for number in numbers) / (len(numbers) + PRIOR))

    parts = _columns(profile, amounts.numbers, lift)
    sums = [sum(map(_number, lifts)) for lifts in _drawn(parts, DRAWN)]
    spread = statistics.pstdev(sums) or amounts.deviation
    chance = random.Random(1)  # noqa: S311 - repeatable, not secret
    normal = [(chance.gauss(), chance.gauss()) for _ in sums]

    def amount(noise: float) -> Amount:
        reached = sorted(each + noise * spread * chance for each, (chance, _) in zip(sums, normal, strict=True))
        places = [float(f"{place:.5g}") for place in _quantiles(reached, SHARES)]
        numbers = _quantiles(amounts.ordered, SHARES)
        rising = [place for place, (low, high) in enumerate(pairwise([-math.inf, *places])) if high > low]
        return Amount(
            target=profile.target,
            places=[places[place] for place in rising],
            numbers=[numbers[place] for place in rising],
            noise=_short(noise * spread),
            whole=amounts.whole,
        )

    def told(noise: float) -> float:
        """The R² of whoever knows what the columns add: how alike two draws are that differ by chance alone."""
        drawn = amount(noise)
        pairs = [(drawn.at(s + drawn.noise * one), drawn.at(s + drawn.noise * other)) for s, (one, other) in zip(sums, normal, strict=True)]
        both = [each for pair in pairs for each in pair]
        return statistics.correlation(*zip(*pairs, strict=True)) if min(both) < max(both) else 0.0

    return parts, amount(_bisect(lambda noise: told(noise) > r2, 0.01, 10.0))


# Columns


def _columns(profile: Profile, labels: Sequence[Label], lift: Callable[[Sequence[Label]], Lift]) -> dict[str, Column]:
    """Every column; `lift` says what a value, or an interval, adds whose rows have these labels."""
    return {name: _column(profile.cells[name], declared, labels, lift) for name, declared in profile.columns.items()}


def _column(cells: Sequence[str], declared: Declared, labels: Sequence[Label], lift: Callable[[Sequence[Label]], Lift]) -> Column:
    empty = isinstance(declared, Category) and "" in declared.values
    present = [(cell, label) for cell, label in zip(cells, labels, strict=True) if cell or empty]
    missing = round(1 - len(present) / len(cells), DIGITS)
    if isinstance(declared, Category | Boolean):
        groups = _grouped(present, declared.cells)
        weights = {value: _short(len(group) / len(present)) for value, group in groups.items()}
        return Values(weights=weights, lift={value: lift(group) for value, group in groups.items()}, missing=missing)
    if isinstance(declared, Text):
        words = sorted(len(cell.split()) for cell, _ in present)
        return Words(least=max(1, words[0]), most=max(1, words[-1]), longest=declared.maximum_length, missing=missing)
    numbers = [(rows.number(cell, declared), label) for cell, label in present]
    quantiles = [
        _within(quantile, declared)
        for quantile in _quantiles(sorted(number for number, _ in numbers), [part / TENTHS for part in range(TENTHS + 1)])
    ]
    tenths = [(max(0, min(bisect.bisect_right(quantiles, number), TENTHS) - 1), label) for number, label in numbers]
    lifts = list(map(lift, _grouped(tenths, range(TENTHS)).values()))
    if isinstance(declared, Date):
        return Dates(quantiles=list(map(dates.written, quantiles)), lift=lifts, missing=missing)
    return Numbers(quantiles=quantiles, lift=lifts, whole=isinstance(declared, Integer), missing=missing)


def _grouped(labelled: Sequence[tuple[Key, Label]], keys: Sequence[Key]) -> dict[Key, list[Label]]:
    groups: dict[Key, list[Label]] = {key: [] for key in keys}
    for key, label in labelled:
        groups[key].append(label)
    return groups


def _quantiles(ordered: Sequence[float], shares: Sequence[float]) -> list[float]:
    return [ordered[round(share * (len(ordered) - 1))] for share in shares]


def _within(number: float, declared: Declared) -> float:
    """A quantile in few digits, inside the declared range; of a date, the day."""
    if isinstance(declared, Date):
        return number
    assert not isinstance(declared, Category | Boolean | Text)
    return min(max(_short(number), declared.minimum), declared.maximum)


def _scaled(columns: Mapping[str, Column], factor: float) -> dict[str, Column]:
    def larger(lift: Lift) -> Lift:
        return [_short(factor * each) for each in lift] if isinstance(lift, Sequence) else _short(factor * lift)

    scaled: dict[str, Column] = {}
    for name, column in columns.items():
        if isinstance(column, Identifiers | Words):
            scaled[name] = column
        elif isinstance(column, Values):
            scaled[name] = replace(column, lift={value: larger(lift) for value, lift in column.lift.items()})
        else:
            scaled[name] = replace(column, lift=list(map(larger, column.lift)))
    return scaled


# What a rule gives


def _drawn(columns: Mapping[str, Column], count: int) -> list[list[Lift]]:
    """What each column of drawn rows adds."""
    draw = random.Random(0)  # noqa: S311 - repeatable, not secret
    return [[column.draw(draw)[1] for column in columns.values()] for _ in range(count)]


def _added(lifts: Sequence[Lift], classes: int) -> list[float]:
    """What columns add to each class together."""
    return [sum(each) for each in zip(*(lift for lift in lifts if isinstance(lift, Sequence)), strict=True)] or [0.0] * classes


def _number(lift: Lift) -> float:
    assert isinstance(lift, int | float)
    return lift


def _lift(hits: int, count: int, base: float, *, logarithm: Callable[[float], float] | None = None) -> float:
    """How much likelier what occurred so often is than usual, in log-odds, or in the given logarithm."""
    share, by = (hits + PRIOR * base) / (count + PRIOR), logarithm or _logit
    return _short(by(share) - by(base))


def _log_odds(sums: Sequence[float], factor: float, share: float) -> list[float]:
    """Of the drawn rows, when every part counts `factor` times, and a `share` of them is positive."""
    scaled = [factor * each for each in sums]
    intercept = _intercept(scaled, share)
    return [intercept + each for each in scaled]


def _intercept(sums: Sequence[float], share: float) -> float:
    """The log-odds with which a `share` of the rows is positive."""
    return _bisect(lambda start: sum(_logistic(start + each) for each in sums) / len(sums) < share, -30.0, 30.0, rounds=40)


def _fitted(sums: Sequence[Sequence[float]], factor: float, shares: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    """Intercepts with which classes have their shares, when every part counts `factor` times, and each drawn row's probabilities."""
    intercepts, scaled = list(map(math.log, shares)), [[factor * each for each in row] for row in sums]
    chances = [_softmax(row, intercepts) for row in scaled]
    for _ in range(FITTED):
        means = [statistics.fmean(column) for column in zip(*chances, strict=True)]
        intercepts = [each + math.log(share / max(mean, 1e-9)) for each, share, mean in zip(intercepts, shares, means, strict=True)]
        chances = [_softmax(row, intercepts) for row in scaled]
    return intercepts, chances


def _softmax(row: Sequence[float], intercepts: Sequence[float]) -> list[float]:
    logarithms = [each + start for each, start in zip(row, intercepts, strict=True)]
    largest = max(logarithms)
    weights = [math.exp(each - largest) for each in logarithms]
    total = sum(weights)
    return [weight / total for weight in weights]


def _area(log_odds: Sequence[float]) -> float:
    """The ROC AUC that the true probabilities have: each row counts as positive as far as it is likely to be."""
    return _area_of(list(map(_logistic, log_odds)))


def _mean_area(chances: Sequence[Sequence[float]]) -> float:
    """The mean over the classes, each against the others."""
    return statistics.fmean(_area_of(column) for column in zip(*chances, strict=True))


def _area_of(chances: Sequence[float]) -> float:
    ordered = sorted(chances)
    below, wins, positives = 0.0, 0.0, sum(ordered)
    for chance in ordered:
        wins += chance * (below + (1 - chance) / 2)
        below += 1 - chance
    return wins / (positives * (len(ordered) - positives))


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


def _mapping(values: Mapping[str, Lift]) -> str:
    return "{" + ", ".join(f"{key!r}: {_written(value)}" for key, value in values.items()) + "}"


def _sequence(values: Sequence[Lift]) -> str:
    return "[" + ", ".join(map(_written, values)) + "]"


def _written(value: Lift) -> str:
    return _sequence(value) if isinstance(value, Sequence) else f"{value:g}"
