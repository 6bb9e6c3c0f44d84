"""What the data contract asks of a data set as a whole, once each cell has been judged by itself: enough rows, each of them once,
the usual label rate, and columns that are filled, that vary, that do not tell the outcome, and that are what they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from paved_runtime import leaks, tasks
from paved_runtime.cells import identity
from paved_runtime.contract import Check
from paved_runtime.digests import combined
from paved_runtime.encoding import FIRST
from paved_runtime.spec import Column, Data
from paved_runtime.split import Parts, Rows
from paved_runtime.table import Examples, Mask, Matrix, Selection, Table, Values
from paved_runtime.tasks.task import Task

OUTCOMES = 25  # rows of each outcome; with fewer, nothing can be said about what tells it


def checks(examples: Examples, data: Data, order: Rows) -> list[Check]:
    """Every check but those against the champion. `order` is that of `split.order`, which says nothing about the rows."""
    table, labels = examples.table, examples.labels
    task = tasks.of(data)
    judged = [_rows(len(examples), data), *_outcomes(labels, task), *_rates(labels, task)]
    if len(table.positions) == len(data.columns):  # without one of its columns, rows look more alike than they are
        judged.append(_duplicates(examples, data))
    for name in table.positions:
        judged += [_missing(name, table[name], data.columns[name]), _constant(name, table[name])]
    return judged + list(_leaks(examples, order, task))


def changed(indices: Mapping[str, float], data: Data) -> list[Check]:
    """The checks against the champion's training data: `indices` has the population stability index of each column."""
    allowed = f"a population stability index of at most {data.maximum_change:g} against the champion's training data"
    advice = "find out what changed in how it is filled; if the change is meant, raise data.maximum_change in model.toml for this push"
    check = partial(Check, rule="change", allowed=allowed, advice=advice)
    return [check(column=name, found=f"{psi:.4f}", passed=psi <= data.maximum_change) for name, psi in indices.items()]


def sides(examples: Examples, parts: Parts, data: Data) -> Iterator[Check]:
    """The check that training and evaluation have rows of either outcome, where these were not parted by it."""
    task = tasks.of(data)
    if data.split == "random":
        return
    counts = {name: _rarest(examples.labels[side], task) for name, side in (("training", parts.train), ("held out", parts.holdout))}
    found = ", ".join(f"{count} {name}" for name, count in counts.items())
    each = "of each outcome" if data.task != "regression" else "with outcomes that differ"
    allowed = f"at least {OUTCOMES} rows {each} on either side of a split by {data.split}"
    advice = f"deliver rows of more {'days' if data.split == 'time' else 'groups'}, or change data.holdout or data.split in model.toml"
    passed = min(counts.values()) >= OUTCOMES
    found = found if data.task == "regression" else f"of the {'rarer' if data.task == 'binary' else 'rarest'} one {found}"
    yield Check(column=data.target, rule="split", found=found, allowed=allowed, passed=passed, advice=advice)


def repeats(examples: Examples) -> Rows:
    """The rows, rising, that are equal to an earlier one in all that the model is given, and in the outcome.

    Rows with a refused cell are equal to none.
    """
    rows = combined(identity(examples))
    order = np.argsort(rows, kind="stable")  # equal rows are neighbours, the earlier one first
    alike = np.flatnonzero(rows[order[1:]] == rows[order[:-1]])
    earlier, later = order[alike], order[alike + 1]
    for column in identity(examples):  # as bits, NaN equals NaN
        equal = column[earlier] == column[later]
        earlier, later = earlier[equal], later[equal]
    return np.sort(later[_readable(examples.table, later)])


def duplicates(examples: Examples) -> float:
    """The share of rows that repeat an earlier one."""
    return len(repeats(examples)) / len(examples)


def _readable(table: Table, rows: Rows) -> Mask:
    """Which of some rows have no refused cell: bool [rows]."""
    readable = np.ones(len(rows), dtype=bool)
    for name in table.positions:
        readable &= ~np.isinf(table[name][rows])
    return readable


def _rarest(labels: Values, task: Task) -> int:
    """Rows of the rarest outcome; of numbers, all of them where they differ."""
    return min(task.counts(labels).values(), default=task.fewest(labels))


def _either(event: Mask) -> bool:
    """Whether enough rows are of the event, and enough are not."""
    return min(int(event.sum()), int((~event).sum())) >= OUTCOMES


def _rows(rows: int, data: Data) -> Check:
    allowed = f"at least {data.minimum_rows} rows"
    advice = "deliver the whole data set; data.minimum_rows in model.toml is the least that training makes sense with"
    return Check(column="", rule="rows", found=f"{rows}", allowed=allowed, passed=rows >= data.minimum_rows, advice=advice)


def _outcomes(labels: Values, task: Task) -> Iterator[Check]:
    """That each outcome is there often enough, or, of numbers, that they differ."""
    counts = task.counts(labels)
    check = partial(Check, column=task.data.target, rule="outcomes")
    if not counts:
        distinct = len(np.unique(labels))
        advice = "repair what fills the target: where it is the same in every row, there is nothing to learn"
        yield check(found=f"{distinct} different", allowed="2 or more values", passed=distinct > 1, advice=advice)
        return
    rarest, advice = min(counts.values()), "deliver more rows of that outcome"
    yield check(
        found=f"{rarest} of the rarest one", allowed=f"at least {OUTCOMES} rows of each outcome", passed=rarest >= OUTCOMES, advice=advice
    )


def _rates(labels: Values, task: Task) -> Iterator[Check]:
    for rate in task.rates(labels):
        allowed = f"{rate.name} between {rate.low:g} and {rate.high:g}"
        advice = f"find out how the outcomes were collected; {rate.key} in model.toml is what is usual"
        passed = rate.low <= rate.value <= rate.high
        yield Check(column=task.data.target, rule="label rate", found=f"{rate.value:.4f}", allowed=allowed, passed=passed, advice=advice)


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


def _leaks(examples: Examples, order: Rows, task: Task) -> Iterator[Check]:
    """Whether a column, two of them, or their empty cells tell the outcome. Refused cells are no empty ones: their rows are left out."""
    table, data, honest = examples.table, task.data, dict[str, float]()
    for name in table.positions:
        kept = order[~np.isinf(table[name][order])]
        values, events = table[name][kept], _events(examples.labels[kept], task)
        if areas := {event: leaks.alone(values, _matrix(rows), data.columns[name]) for event, rows in events.items()}:
            yield _leak(name, areas, data)
            honest |= {name: max(areas.values())} if max(areas.values()) <= data.maximum_column_auc else {}
    kept = order[_readable(table, order)]
    if events := _events(examples.labels[kept], task):
        readable = Selection(table, kept)
        yield from _pair_leak(readable, events, sorted(honest, key=lambda name: -honest[name]), data)
        yield from _missing_leaks(readable, events, data)


def _events(labels: Values, task: Task) -> dict[str, Mask]:
    """What could be told of the outcome, where there are enough rows to say so."""
    return {name: event for name, event in task.events(labels).items() if _either(event)}


def _matrix(event: Mask) -> Matrix:
    """1 where it is true; there may be many events, and one at a time is looked at."""
    return event.astype(np.float32)


def _worst(areas: Mapping[str, float]) -> tuple[float, str]:
    """The greatest, and which of several events it is of."""
    event = max(areas, key=lambda name: areas[name])
    return areas[event], f" for {event!r}" if len(areas) > 1 else ""


def _leak(name: str, areas: Mapping[str, float], data: Data) -> Check:
    auc, event = _worst(areas)
    allowed = f"a ROC AUC of at most {data.maximum_column_auc:g} from this column alone"
    advice = f"it tells the outcome: if it is known only afterwards, move {name} to data.exclude in model.toml; "
    advice += "if it is known in time, raise data.maximum_column_auc"
    passed = auc <= data.maximum_column_auc
    return Check(column=name, rule="leak", found=f"{auc:.4f}{event}", allowed=allowed, passed=passed, advice=advice)


def _pair_leak(table: Selection, events: Mapping[str, Mask], names: Sequence[str], data: Data) -> Iterator[Check]:
    """The check of the two columns that tell most together; the first names are looked at first."""
    columns = {name: data.columns[name] for name in names}
    told = {event: leaks.together(table, _matrix(rows), columns, tests=len(events)) for event, rows in events.items()}
    pairs = {event: pair for event, pair in told.items() if pair is not None}
    if not pairs:
        return
    worst = max(pairs, key=lambda event: (pairs[event].low > data.maximum_pair_auc, pairs[event].roc_auc))
    pair, event = pairs[worst], f" for {worst!r}" if len(pairs) > 1 else ""
    among = f", of the {leaks.MOST_COLUMNS} that tell most alone" if len(names) > leaks.MOST_COLUMNS else ""
    check = partial(Check, column=" and ".join(pair.columns), rule="pair leak", found=f"{pair.roc_auc:.4f}{event}")
    advice = "together they tell the outcome: find out when each is filled, and move what is known only afterwards to data.exclude in "
    advice += "model.toml; if both are known in time, raise data.maximum_pair_auc"
    allowed = f"a ROC AUC of at most {data.maximum_pair_auc:g} from two columns together{among}"
    yield check(allowed=allowed, passed=pair.low <= data.maximum_pair_auc, advice=advice)


def _missing_leaks(table: Selection, events: Mapping[str, Mask], data: Data) -> Iterator[Check]:
    """The check of each column that has empty cells, and of those together that tell little each."""
    names = [name for name in table.table.positions if np.isnan(table[name]).any()]
    tests = len(names) * len(events)
    judged = {name: _missing_leak(name, _emptiness(table[name], events, tests), data) for name in names}
    yield from judged.values()
    honest = [name for name in names if judged[name].passed]
    if len(honest) > 1:
        empty = np.column_stack([np.isnan(table[name]) for name in honest])
        told = {event: leaks.empty_together(empty, _matrix(rows), tests=len(events)) for event, rows in events.items()}
        worst = max(told, key=lambda event: (told[event][1] > data.maximum_pair_auc, told[event][0]))
        (auc, low), event = told[worst], f" for {worst!r}" if len(told) > 1 else ""
        allowed = f"a ROC AUC of at most {data.maximum_pair_auc:g} from which cells of a row are empty"
        advice = f"find out when {', '.join(honest)} are filled, and move what is filled only afterwards to data.exclude in model.toml; "
        advice += "if all are filled in time, raise data.maximum_pair_auc"
        check = partial(Check, column="", rule="missing leak", found=f"{auc:.4f}{event}", allowed=allowed, advice=advice)
        yield check(passed=low <= data.maximum_pair_auc)


def _emptiness(values: Values, events: Mapping[str, Mask], tests: int) -> dict[str, leaks.Emptiness]:
    return {event: leaks.emptiness(values, _matrix(rows), tests=tests) for event, rows in events.items()}


def _missing_leak(name: str, empty: Mapping[str, leaks.Emptiness], data: Data) -> Check:
    def tells(told: leaks.Emptiness) -> bool:
        return told.low > data.maximum_missing_auc or told.times > data.maximum_missing_ratio

    event = max(empty, key=lambda event: (tells(empty[event]), empty[event].roc_auc))
    told = empty[event]
    found = f"{told.roc_auc:.4f}, empty in {told.positive:.1%} of the rows with {event!r} and in {told.negative:.1%} of the others"
    allowed = f"a ROC AUC of at most {data.maximum_missing_auc:g} from which cells are empty, "
    allowed += f"none of the two outcomes having more than {data.maximum_missing_ratio:g} times as many empty or filled ones"
    advice = f"which cells are empty tells the outcome: if {name} is filled only afterwards, move it to data.exclude in model.toml; "
    advice += "if in time, raise data.maximum_missing_auc or data.maximum_missing_ratio"
    return Check(column=name, rule="missing leak", found=found, allowed=allowed, passed=not tells(told), advice=advice)


def _where(rows: Rows) -> dict[str, Any]:
    return {"count": len(rows), "rows": tuple((rows[:FIRST] + 1).tolist())}
