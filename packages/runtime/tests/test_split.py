"""What is held out depends on what the file says of its rows, and on the seed: on nothing else."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from frames import DATA, Frame, rows
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import contract, tasks
from paved_runtime.spec import Data, ModelSpec
from paved_runtime.split import order, parts, split
from paved_runtime.table import Examples

TASK = tasks.of(DATA)


@pytest.fixture(scope="module")
def examples(data: Path, model_spec: ModelSpec) -> Examples:
    return contract.read(data.parent, model_spec.data)


def test_each_outcome_is_held_out_in_its_share(examples: Examples) -> None:
    train, holdout = split(examples, TASK, share=0.2, seed=0)

    assert len(train) + len(holdout) == len(examples)
    assert holdout.labels.sum() == round(examples.labels.sum() * 0.2)
    assert len(holdout) == pytest.approx(0.2 * len(examples), abs=1)


def test_no_row_is_in_both_parts(examples: Examples) -> None:
    train, holdout = split(examples, TASK, share=0.3, seed=1)

    assert not {row.tobytes() for row in train.table.values} & {row.tobytes() for row in holdout.table.values}


def test_the_order_of_the_rows_does_not_matter(examples: Examples) -> None:
    shuffled = examples.take(np.random.default_rng(5).permutation(len(examples)))

    for part, again in zip(split(examples, TASK, share=0.2, seed=0), split(shuffled, TASK, share=0.2, seed=0), strict=True):
        assert np.array_equal(part.table.values, again.table.values)
        assert np.array_equal(part.labels, again.labels)
        assert np.array_equal(part.digests, again.digests)


def test_another_seed_holds_out_other_rows(examples: Examples) -> None:
    first, other = (split(examples, TASK, share=0.2, seed=seed)[1].table.values for seed in (0, 1))

    assert not np.array_equal(first, other)


def test_equal_rows_are_neighbours(examples: Examples) -> None:
    twice = np.concatenate([examples.digests, examples.digests[::-1]])
    ordered = twice[order(twice, seed=3)]

    assert np.array_equal(ordered[0::2], ordered[1::2])


@dataclass(frozen=True)
class File:
    """A data set as a file, and what `model.toml` may say of it."""

    columns: list[str]
    rows: Frame
    data: Data


frame = st.lists(rows.map(lambda row: row | {"duration": str(len(row["duration"]))}), min_size=10, max_size=30).map(
    lambda drawn: [row | {"id": f"{number:03d}", "y": "yes" if number % 3 else "no"} for number, row in enumerate(drawn)]
)
PLAIN: dict[str, Any] = {**DATA.model_dump(), "exclude": ["duration", "id"]}


@st.composite
def rewritten(draw: st.DrawFn, original: Frame) -> File:
    """The same rows: in another order, columns in another order, numbers spelt otherwise; and declared in another way."""
    spell = draw(st.sampled_from(["{}", "{}.0", "{}e0", "{}.00E+0"]))
    respelt = draw(st.sets(st.sampled_from([name for name, column in DATA.columns.items() if column.type == "integer"])))
    changed = [row | {name: spell.format(row[name]) for name in respelt} for row in original]
    names = draw(st.permutations([name for name in original[0] if name != "y"]))
    excluded = draw(st.sets(st.sampled_from(names), max_size=len(names) - 1))
    columns = {name: draw(declared(sorted({row[name] for row in changed}))) for name in names if name not in excluded}
    data = Data.model_validate({**PLAIN, "exclude": sorted(excluded), "columns": columns})
    return File([*draw(st.permutations([*names, "y"]))], draw(st.permutations(changed)), data)


@st.composite
def declared(draw: st.DrawFn, cells: list[str]) -> dict[str, Any]:
    """A column that accepts these cells: as categories in any order, with others before or behind; as numbers, where they are."""
    missing = draw(st.sampled_from([0, 0.5]))
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        kinds = ["category"]
    else:
        kinds = ["category", "number", "integer"]
    kind = draw(st.sampled_from(kinds))
    if kind == "category":
        return {"type": kind, "values": draw(st.permutations([*cells, "never", "seen"])), "missing": missing}
    return {"type": kind, "minimum": int(min(numbers)), "maximum": int(max(numbers)) + draw(st.integers(0, 9)), "missing": missing}


def held_out(file: File, seed: int) -> set[str]:
    """The ids of the held-out rows, whether the model is given them or not."""
    with TemporaryDirectory() as folder:
        with (Path(folder) / "data.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, file.columns)
            writer.writeheader()
            writer.writerows(file.rows)
        examples = contract.read(Path(folder), file.data)
    _, holdout = parts(tasks.of(file.data).strata(examples.labels), order(examples.digests, seed=seed), share=0.3)
    return {file.rows[row]["id"] for row in holdout.tolist()}


@given(st.data(), frame, st.integers(0, 3))
def test_neither_declaration_nor_order_nor_spelling_matters(data: st.DataObject, original: Frame, seed: int) -> None:
    plain = File([*original[0]], original, Data.model_validate(PLAIN))
    other = data.draw(rewritten(original))

    assert held_out(other, seed) == held_out(plain, seed)


@given(frame, st.sampled_from(["age", "duration", "y"]))
def test_every_cell_of_the_file_counts(original: Frame, name: str) -> None:
    """Of columns that the model is not given, too."""
    data = Data.model_validate(PLAIN)
    other = [
        row | {name: {"y": {"yes": "no", "no": "yes"}.get(row["y"], "")}.get(name, str(18 + number))} for number, row in enumerate(original)
    ]
    with TemporaryDirectory() as folder:
        digested = []
        for rows_ in (original, other):
            with (Path(folder) / "data.csv").open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(original[0]))
                writer.writeheader()
                writer.writerows(rows_)
            digested.append(contract.read(Path(folder), data).digests)

    same = [row[name] == changed[name] for row, changed in zip(original, other, strict=True)]
    assert (digested[0] == digested[1]).tolist() == same
