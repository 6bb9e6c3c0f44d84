"""A model knows the rows that it was trained on again: by what a file says of them, whatever else the file says by now."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paved_runtime import artifact, contract, training_rows
from paved_runtime.artifact import ArtifactError
from paved_runtime.spec import Data
from paved_runtime.training_rows import TrainingRows

DATA = Data.model_validate(
    {
        "target": "bought",
        "positive": "yes",
        "negative": "no",
        "exclude": ["agent"],
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {
            "age": {"type": "integer", "minimum": 0, "maximum": 200},
            "city": {"type": "category", "values": ["bonn", "cologne"]},
        },
    }
)
Row = dict[str, str]
ROWS: list[Row] = [
    {"age": f"{20 + row}", "city": "bonn" if row % 3 else "cologne", "agent": f"a{row % 7}", "bought": "yes" if row % 4 else "no"}
    for row in range(100)
]


def put(file: Path, rows: list[Row]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def trained(root: Path, *files: list[Row]) -> TrainingRows:
    """What a model knows that was trained on the first half of each file."""
    for number, rows in enumerate(files):
        put(root / f"before/{number}.csv", rows[: len(rows) // 2])
    reading = contract.inspect(root / "before", DATA)
    training_rows.write(root / artifact.ROWS, reading.examples.digests)
    artifact.write_json(root / artifact.DATA, {"digested": reading.digested})
    known = TrainingRows.load(root)
    assert known is not None
    return known


def among(known: TrainingRows, root: Path, *files: list[Row]) -> list[bool] | None:
    """Which rows of other files it was trained on."""
    for number, rows in enumerate(files):
        put(root / f"after/{number}.csv", rows)
    return known.among(contract.inspect(root / "after", DATA, known.columns))


CHANGES: dict[str, Callable[[Row], Row]] = {
    "nothing": lambda row: row,
    "another order of columns": lambda row: dict(reversed(row.items())),
    "another spelling of numbers": lambda row: row | {"age": f"{row['age']}.0"},
    "columns that it does not know": lambda row: {"branch": f"b{row['age']}", **row, "weekday": "monday"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_are_known_again(tmp_path: Path, change: str) -> None:
    changed = [CHANGES[change](row) for row in ROWS]

    assert among(trained(tmp_path, ROWS), tmp_path, changed) == [True] * 50 + [False] * 50
    assert among(trained(tmp_path, ROWS), tmp_path, changed[::-1]) == [False] * 50 + [True] * 50


@pytest.mark.parametrize("column", ["age", "city", "agent", "bought"])
def test_a_row_that_says_anything_else_is_another(tmp_path: Path, column: str) -> None:
    values = {"age": "7", "city": "aachen", "agent": "", "bought": "perhaps"}

    assert among(trained(tmp_path, ROWS), tmp_path, [ROWS[0] | {column: values[column]}, *ROWS[1:]]) == [
        *[False],
        *[True] * 49,
        *[False] * 50,
    ]


def test_without_a_column_that_was_there_nobody_knows(tmp_path: Path) -> None:
    fewer = [{name: cell for name, cell in row.items() if name != "agent"} for row in ROWS]

    assert among(trained(tmp_path, ROWS), tmp_path, fewer) is None
    assert among(trained(tmp_path, ROWS), tmp_path, ROWS, fewer) is None


def test_files_of_different_columns_are_known_each_by_its_own(tmp_path: Path) -> None:
    fewer = [{name: cell for name, cell in row.items() if name != "agent"} | {"age": "150"} for row in ROWS]
    known = trained(tmp_path, ROWS, fewer)

    assert known.columns == {"age", "city", "agent", "bought"}
    assert among(known, tmp_path, fewer[:25], [row | {"branch": "b"} for row in ROWS]) == [True] * 75 + [False] * 50


def test_what_is_written_is_eight_bytes_a_row_rising(tmp_path: Path) -> None:
    digests = np.array([2**64 - 1, 0, 2**63, 7, 7], dtype=np.uint64)
    training_rows.write(tmp_path / artifact.ROWS, digests)

    assert (tmp_path / artifact.ROWS).read_bytes().hex(" ", 8) == (
        "0000000000000000 0000000000000007 0000000000000007 8000000000000000 ffffffffffffffff"
    )


def test_what_is_broken_is_refused_and_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert TrainingRows.load(tmp_path) is None

    (tmp_path / artifact.ROWS).write_bytes(bytes(15))
    with pytest.raises(ArtifactError, match=r"^rows\.bin has 15 bytes: expected 8 a row$"):
        TrainingRows.load(tmp_path)
