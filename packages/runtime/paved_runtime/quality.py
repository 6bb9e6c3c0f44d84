"""What the data contract asks of a data set as a whole, once each cell has been judged by itself: enough rows, each of them once,
the usual label rate, and columns that are filled, that vary, that do not tell the outcome, and that are what they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paved_runtime import leaks
from paved_runtime.cells import identity
from paved_runtime.contract import FIRST, Check
from paved_runtime.digests import combined
from paved_runtime.spec import Column, Data
from paved_runtime.split import Parts, Rows
from paved_runtime.table import Examples, Matrix, Values

OUTCOMES = 25  # rows of each outcome; with fewer, nothing can be said about what tells it


def checks(examples: Examples, data: Data, order: Rows) -> list[Check]:
    """Every check but those against the champion. `order` is that of `split.order`, which says nothing about the rows."""
    table, labels = examples.table, examples.labels
    judged = [_rows(len(examples), data), _outcomes(labels, data), _label_rate(labels, data)]
    if len(table.positions) == len(data.columns):  # without one of its columns, rows look more alike than they are
        judged.append(_duplicates(examples, data))
    for name in table.positions:
        judged += [_missing(name, table[name], data.columns[name]), _constant(name, table[name])]
    return judged + list(_leaks(examples.take(order), data))


def changed(indices: Mapping[str, float], data: Data) -> list[Check]:
    """The checks against the champion's training data: `indices` has the population stability index of each column."""
    allowed = f"a population stability index of at most {data.maximum_change:g} against the champion's training data"
    advice = "find out what changed in how it is filled; if the change is meant, raise data.maximum_change in model.toml for this push"
    check = partial(Check, rule="change", allowed=allowed, advice=advice)
    return [check(column=name, found=f"{psi:.4f}", passed=psi <= data.maximum_change) for name, psi in indices.items()]


def sides(examples: Examples, parts: Parts, data: Data) -> Iterator[Check]:
    """The check that training and evaluation have rows of either outcome, where these were not parted by it."""
    if data.split == "random":
        return
    counts = {name: _fewest(examples.labels[side]) for name, side in (("training", parts.train), ("held out", parts.holdout))}
    found = ", ".join(f"{count} {name}" for name, count in counts.items())
    allowed = f"at least {OUTCOMES} rows of each outcome on either side of a split by {data.split}"
    advice = f"deliver rows of more {'days' if data.split == 'time' else 'groups'}, or change data.holdout or data.split in model.toml"
    passed = min(counts.values()) >= OUTCOMES
    yield Check(column=data.target, rule="split", found=f"of the rarer one {found}", allowed=allowed, passed=passed, advice=advice)


def repeats(examples: Examples) -> Rows:
    """The rows, rising, that are equal to an earlier one in all that the model is given, and in the outcome.

    Rows with a refused cell are equal to none.
    """
    rows = identity(examples)
    order = np.argsort(combined(rows.view(np.uint64).T), kind="stable")  # equal rows are neighbours, the earlier one first
    rows = rows[order]
    bits = rows.view(np.uint64)  # as bits, NaN equals NaN
    equal = (bits[1:] == bits[:-1]).all(axis=1) & ~np.isinf(rows[1:]).any(axis=1)
    return np.sort(order[1:][equal])


def duplicates(examples: Examples) -> float:
    """The share of rows that repeat an earlier one."""
    return len(repeats(examples)) / len(examples)


def _fewest(labels: Matrix) -> int:
    return min(int(labels.sum()), int((1 - labels).sum()))


def _rows(rows: int, data: Data) -> Check:
    allowed = f"at least {data.minimum_rows} rows"
    advice = "deliver the whole data set; data.minimum_rows in model.toml is the least that training makes sense with"
    return Check(column="", rule="rows", found=f"{rows}", allowed=allowed, passed=rows >= data.minimum_rows, advice=advice)


def _outcomes(labels: Matrix, data: Data) -> Check:
    rarer, allowed = _fewest(labels), f"at least {OUTCOMES} rows of each outcome"
    check = partial(Check, column=data.target, rule="outcomes", allowed=allowed, advice="deliver more rows of that outcome")
    return check(found=f"{rarer} of the rarer one", passed=rarer >= OUTCOMES)


def _label_rate(labels: Matrix, data: Data) -> Check:
    rate, share = float(labels.mean()), data.positive_share
    allowed = f"a share of {data.positive!r} between {share.minimum:g} and {share.maximum:g}"
    advice = "find out how the outcomes were collected; data.positive_share in model.toml is what is usual"
    passed = share.minimum <= rate <= share.maximum
    return Check(column=data.target, rule="label rate", found=f"{rate:.4f}", allowed=allowed, passed=passed, advice=advice)


def _duplicates(examples: Examples, data: Data) -> Check:
    repeated = repeats(examples)
    share = len(repeated) / len(examples)
    allowed = f"a share of at most {data.maximum_duplicates:g} of rows that repeat an earlier one"
    advice = "drop the repeated rows, or raise data.maximum_duplicates in model.toml where equal rows are different cases"
    check = partial(Check, column="", rule="duplicates", found=f"{share:.4f}", allowed=allowed, advice=advice)
    return check(passed=True) if share <= data.maximum_duplicates else check(**_where(repeated))


def _missing(name: str, values: Values, column: Column) -> Check:
    empty = np.flatnonzero(np.isnan(values))
    share = len(empty) / len(values)
    allowed = f"a share of at most {column.missing:g} of empty cells"
    advice = f"find out why they are empty, or raise missing of data.columns.{name} in model.toml"
    check = partial(Check, column=name, rule="missing", found=f"{share:.4f}", allowed=allowed, advice=advice)
    return check(passed=True) if share <= column.missing else check(**_where(empty))


def _constant(name: str, values: Values) -> Check:
    readable = values[~np.isinf(values)].view(np.int64)  # as bits, NaN equals NaN
    constant = len(readable) > 0 and bool((readable == readable[0]).all())
    advice = f"repair what fills it, or take {name} out of data.columns in model.toml: it teaches nothing"
    distinct = "1" if constant else "several"
    return Check(column=name, rule="constant", found=distinct, allowed="2 or more values", passed=not constant, advice=advice)


def _leaks(examples: Examples, data: Data) -> Iterator[Check]:
    """Whether a column, two of them, or their empty cells tell the outcome. Refused cells are no empty ones: their rows are left out."""
    table, honest = examples.table, dict[str, float]()
    for name in table.positions:
        kept = ~np.isinf(table[name])
        if _fewest(examples.labels[kept]) >= OUTCOMES:
            auc = leaks.alone(table[name][kept], examples.labels[kept], data.columns[name])
            yield _leak(name, auc, data)
            honest |= {name: auc} if auc <= data.maximum_column_auc else {}
    examples = examples.take(np.flatnonzero(~np.isinf(table.values).any(axis=1)))
    if _fewest(examples.labels) >= OUTCOMES:
        yield from _pair_leak(examples, sorted(honest, key=lambda name: -honest[name]), data)
        yield from _missing_leaks(examples, data)


def _leak(name: str, auc: float, data: Data) -> Check:
    allowed = f"a ROC AUC of at most {data.maximum_column_auc:g} from this column alone"
    advice = f"it tells the outcome: if it is known only afterwards, move {name} to data.exclude in model.toml; "
    advice += "if it is known in time, raise data.maximum_column_auc"
    return Check(column=name, rule="leak", found=f"{auc:.4f}", allowed=allowed, passed=auc <= data.maximum_column_auc, advice=advice)


def _pair_leak(examples: Examples, names: Sequence[str], data: Data) -> Iterator[Check]:
    """The check of the two columns that tell most together; the first names are looked at first."""
    pair = leaks.together(examples.table, examples.labels, {name: data.columns[name] for name in names})
    if pair is None:
        return
    among = f", of the {leaks.MOST_COLUMNS} that tell most alone" if len(names) > leaks.MOST_COLUMNS else ""
    check = partial(Check, column=" and ".join(pair.columns), rule="pair leak", found=f"{pair.roc_auc:.4f}")
    advice = "together they tell the outcome: find out when each is filled, and move what is known only afterwards to data.exclude in "
    advice += "model.toml; if both are known in time, raise data.maximum_pair_auc"
    allowed = f"a ROC AUC of at most {data.maximum_pair_auc:g} from two columns together{among}"
    yield check(allowed=allowed, passed=pair.low <= data.maximum_pair_auc, advice=advice)


def _missing_leaks(examples: Examples, data: Data) -> Iterator[Check]:
    """The check of each column that has empty cells, and of those together that tell little each."""
    table, labels = examples.table, examples.labels
    names = [name for name in table.positions if np.isnan(table[name]).any()]
    judged = {name: _missing_leak(name, leaks.emptiness(table[name], labels, tests=len(names)), data) for name in names}
    yield from judged.values()
    honest = [name for name in names if judged[name].passed]
    if len(honest) > 1:
        auc, low = leaks.empty_together(table.values[:, [table.positions[name] for name in honest]], labels)
        allowed = f"a ROC AUC of at most {data.maximum_pair_auc:g} from which cells of a row are empty"
        advice = f"find out when {', '.join(honest)} are filled, and move what is filled only afterwards to data.exclude in model.toml; "
        advice += "if all are filled in time, raise data.maximum_pair_auc"
        check = partial(Check, column="", rule="missing leak", found=f"{auc:.4f}", allowed=allowed, advice=advice)
        yield check(passed=low <= data.maximum_pair_auc)


def _missing_leak(name: str, empty: leaks.Emptiness, data: Data) -> Check:
    found = (
        f"{empty.roc_auc:.4f}, empty in {empty.positive:.1%} of the rows with {data.positive!r} and in {empty.negative:.1%} of the others"
    )
    allowed = f"a ROC AUC of at most {data.maximum_missing_auc:g} from which cells are empty, "
    allowed += f"none of the two outcomes having more than {data.maximum_missing_ratio:g} times as many empty or filled ones"
    advice = f"which cells are empty tells the outcome: if {name} is filled only afterwards, move it to data.exclude in model.toml; "
    advice += "if in time, raise data.maximum_missing_auc or data.maximum_missing_ratio"
    passed = empty.low <= data.maximum_missing_auc and empty.times <= data.maximum_missing_ratio
    return Check(column=name, rule="missing leak", found=found, allowed=allowed, passed=passed, advice=advice)


def _where(rows: Rows) -> dict[str, Any]:
    return {"count": len(rows), "rows": tuple((rows[:FIRST] + 1).tolist())}
