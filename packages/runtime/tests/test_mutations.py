"""A valid frame that is changed in any way gives the very same rows, or a violation that names the column."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from frames import COLUMNS, DATA, Frame, frames, read
from hypothesis import assume, given
from hypothesis import strategies as st

from paved_runtime import contract
from paved_runtime.spec import Category, Integer
from paved_runtime.table import Examples

Lines = list[list[str]]


@dataclass(frozen=True)
class Mutation:
    """A frame as a file, changed. Where it is refused, a violation must name one of `columns`; without any it must be accepted."""

    content: bytes
    columns: tuple[str, ...] = ()


Mutate = Callable[[Lines, random.Random, str], Mutation]


def rendered(lines: Lines) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(lines)
    return stream.getvalue().encode()


def drop_column(lines: Lines, draw: random.Random, _: str) -> Mutation:
    i = draw.randrange(len(lines[0]))
    return Mutation(rendered([line[:i] + line[i + 1 :] for line in lines]), (lines[0][i],))


def rename_column(lines: Lines, draw: random.Random, text: str) -> Mutation:
    i, header = draw.randrange(len(lines[0])), lines[0]
    name = draw.choice([text, header[i].upper(), f" {header[i]}", f"\ufeff{header[i]}", *header])
    return Mutation(rendered([[*header[:i], name, *header[i + 1 :]], *lines[1:]]), (header[i], name))


def repeat_column(lines: Lines, draw: random.Random, _: str) -> Mutation:
    i = draw.randrange(len(lines[0]))
    return Mutation(rendered([[*line, line[i]] for line in lines]), (lines[0][i],))


def reorder_columns(lines: Lines, draw: random.Random, _: str) -> Mutation:
    order = draw.sample(range(len(lines[0])), len(lines[0]))
    return Mutation(rendered([[line[i] for i in order] for line in lines]))


def reorder_rows(lines: Lines, draw: random.Random, _: str) -> Mutation:
    return Mutation(rendered([lines[0], *draw.sample(lines[1:], len(lines) - 1)]))


def extra_cell(lines: Lines, draw: random.Random, text: str) -> Mutation:
    i = draw.randrange(1, len(lines))
    return Mutation(rendered([*lines[:i], [*lines[i], text], *lines[i + 1 :]]), (lines[0][-1],))


def lost_cells(lines: Lines, draw: random.Random, _: str) -> Mutation:
    i, j = draw.randrange(1, len(lines)), draw.randrange(1, len(lines[0]))
    return Mutation(rendered([*lines[:i], lines[i][:j], *lines[i + 1 :]]), (lines[0][j],))


def written_by_another_program(lines: Lines, draw: random.Random, _: str) -> Mutation:
    mark, end = draw.choice([b"", b"\xef\xbb\xbf"]), draw.choice([b"\r\n", b"\n"])
    return Mutation(mark + rendered(lines).replace(b"\r\n", end))


SPELLINGS = [
    *("{}", " {}", "{} ", "{}.0", "{}e0", "+{}", "-{}", "00{}", "0x{}", "{},0"),
    *("'{}'", '"{}"', "{}\u00a0", "\u200b{}", "{}\n", "{}%"),
]
JUNK = [
    *("", " ", "nan", "NaN", "inf", "-inf", "null", "None", "1_0", "\u0663", "\U0001f600", "\0", "yes\0"),
    *("1e999", "9" * 400, "-" + "9" * 30),
]


def change_cell(lines: Lines, draw: random.Random, text: str) -> Mutation:
    """A cell gets junk, or its own value in another spelling. To mean another value that the contract accepts is no mutation."""
    i, j = draw.randrange(1, len(lines)), draw.randrange(len(lines[0]))
    name, before = lines[0][j], lines[i][j]
    cell = draw.choice([*SPELLINGS, *JUNK, text]).format(before)
    assume(not means_another(name, cell, before))
    return Mutation(rendered([*lines[:i], [*lines[i][:j], cell, *lines[i][j + 1 :]], *lines[i + 1 :]]), (name,))


def means_another(name: str, cell: str, before: str) -> bool:
    column = DATA.columns.get(name)
    if not column:
        return name == DATA.target and cell != before and cell in ("yes", "no")
    if isinstance(column, Category):
        return cell != before and cell in column.values
    assert isinstance(column, Integer)
    try:
        return float(cell) != float(before) and column.minimum <= float(cell) <= column.maximum and float(cell).is_integer()
    except ValueError:
        return False


MUTATIONS: list[Mutate] = [
    *(drop_column, rename_column, repeat_column, reorder_columns, reorder_rows),
    *(extra_cell, lost_cells, written_by_another_program, change_cell),
]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=8)


@pytest.mark.parametrize("mutate", MUTATIONS)
@given(frames, st.randoms(use_true_random=False), texts)
def test_a_mutation_gives_the_same_rows_or_a_violation_that_names_the_column(
    mutate: Mutate, frame: Frame, draw: random.Random, text: str
) -> None:
    mutation = mutate([COLUMNS, *[[row[name] for name in COLUMNS] for row in frame]], draw, text)
    reading = outcome(mutation.content)

    if isinstance(reading, Examples):
        assert canonical(reading) == canonical(read(frame, COLUMNS))
    else:
        assert reading & set(mutation.columns), reading


def outcome(content: bytes) -> Examples | set[str]:
    """The rows of a file, or the columns that its violations name."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "data.csv").write_bytes(content)
        try:
            return contract.read(Path(folder), DATA)
        except contract.ContractError as error:
            return {violation.column for violation in error.violations}


def canonical(examples: Examples) -> list[list[float]]:
    """The rows up to their order."""
    rows: list[list[float]] = np.column_stack([examples.table.values, examples.labels]).tolist()
    return sorted(rows)
