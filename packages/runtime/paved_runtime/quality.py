"""What the data contract asks of a data set as a whole, once each cell has been judged by itself: enough rows, each of them once,
the usual label rate, and columns that are filled, that vary, that do not tell the outcome, and that are what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime.contract import FIRST, Check
from paved_runtime.digests import combined
from paved_runtime.drift import edges
from paved_runtime.spec import Category, Column, Data
from paved_runtime.split import Rows
from paved_runtime.table import Examples, Matrix, Values

BINS, FOLDS = 50, 5
OUTCOMES = 25  # rows of each outcome; with fewer, nothing can be said about what tells it
PRIOR = 10  # rows of the average outcome that every bin begins with


def checks(examples: Examples, data: Data, order: Rows) -> list[Check]:
    """Every check but those against the champion. `order` is that of `split.order`, which says nothing about the rows."""
    table, labels = examples.table, examples.labels
    judged = [_rows(len(examples), data), _outcomes(labels, data), _label_rate(labels, data)]
    if len(table.positions) == len(data.columns):  # without one of its columns, rows look more alike than they are
        judged.append(_duplicates(examples, data))
    for name in table.positions:
        judged += [_missing(name, table[name], data.columns[name]), _constant(name, table[name])]
        kept = order[~np.isinf(table[name][order])]
        if _fewest(labels[kept]) >= OUTCOMES:
            judged.append(_leak(name, alone(table[name][kept], labels[kept], data.columns[name]), data))
    return judged


def changed(indices: Mapping[str, float], data: Data) -> list[Check]:
    """The checks against the champion's training data: `indices` has the population stability index of each column."""
    allowed = f"a population stability index of at most {data.maximum_change:g} against the champion's training data"
    advice = "find out what changed in how it is filled; if the change is meant, raise data.maximum_change in model.toml for this push"
    check = partial(Check, rule="change", allowed=allowed, advice=advice)
    return [check(column=name, found=f"{psi:.4f}", passed=psi <= data.maximum_change) for name, psi in indices.items()]


def repeats(examples: Examples) -> Rows:
    """The rows, rising, that are equal to an earlier one in all that the model is given, and in the outcome.

    Rows with a refused cell are equal to none.
    """
    rows = np.column_stack([examples.table.values, examples.labels])
    order = np.argsort(combined(rows.view(np.uint64).T), kind="stable")  # equal rows are neighbours, the earlier one first
    rows = rows[order]
    bits = rows.view(np.uint64)  # as bits, NaN equals NaN
    equal = (bits[1:] == bits[:-1]).all(axis=1) & ~np.isinf(rows[1:]).any(axis=1)
    return np.sort(order[1:][equal])


def duplicates(examples: Examples) -> float:
    """The share of rows that repeat an earlier one."""
    return len(repeats(examples)) / len(examples)


def alone(values: Values, labels: Matrix, column: Column) -> float:
    """The ROC AUC with which one column alone tells the outcome, cross-fitted. The rows' order must say nothing about them.

    Each bin's share of positive rows is learnt from the other folds, so that it does not matter which way, or how crookedly, the column
    tells the outcome, and a column of many values gains nothing by chance. Empty cells are a bin of their own.
    """
    codes, positive, folds = _codes(values, column), labels.astype(np.intp), _folds(labels)
    bins = int(codes.max()) + 1
    counts = np.bincount((folds * bins + codes) * 2 + positive, minlength=FOLDS * bins * 2).reshape(FOLDS, bins, 2).astype(np.float64)
    learnt = counts.sum(axis=0) - counts
    average = learnt[:, :, 1].sum(axis=1) / learnt.sum(axis=(1, 2))
    rates = (learnt[:, :, 1] + PRIOR * average[:, None]) / (learnt.sum(axis=2) + PRIOR)
    return float(np.mean([roc_auc(rate, count) for rate, count in zip(rates, counts, strict=True)]))


def roc_auc(scores: Values, counts: Values) -> float:
    """The ROC AUC of binned rows: `scores` float64 [bins], `counts` float64 [bins, 2] of negative and positive rows."""
    _, rank = np.unique(scores, return_inverse=True)
    negative, positive = (np.bincount(rank, counts[:, outcome]) for outcome in (0, 1))
    below = np.cumsum(negative) - negative / 2
    return float((below * positive).sum() / (negative.sum() * positive.sum()))


def _codes(values: Values, column: Column) -> NDArray[np.intp]:
    """The bin of each value."""
    present = ~np.isnan(values)
    bins = np.arange(len(column.values) - 1.0) if isinstance(column, Category) else edges(values[present], BINS)
    return np.where(present, np.searchsorted(bins, values), len(bins) + 1)


def _folds(labels: Matrix) -> NDArray[np.intp]:
    """The fold of each row; every fold has its share of each outcome."""
    folds = np.empty(len(labels), dtype=np.intp)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


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


def _leak(name: str, auc: float, data: Data) -> Check:
    allowed = f"a ROC AUC of at most {data.maximum_column_auc:g} from this column alone"
    advice = f"it tells the outcome: if it is known only afterwards, move {name} to data.exclude in model.toml; "
    advice += "if it is known in time, raise data.maximum_column_auc"
    return Check(column=name, rule="leak", found=f"{auc:.4f}", allowed=allowed, passed=auc <= data.maximum_column_auc, advice=advice)


def _where(rows: Rows) -> dict[str, Any]:
    return {"count": len(rows), "rows": tuple((rows[:FIRST] + 1).tolist())}
