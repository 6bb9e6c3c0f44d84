"""A batch of Parquet files: rows are those of CSV, and results have the types that came.

An image has pyarrow only if its model asks for it, and the sample does not: here it borrows this environment's.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from tests.reference import ROOT
from tests.support.borrowed import environment as borrow
from tests.support.container import python

PROGRAM = """
import sys, tomllib
from pathlib import Path
import msgspec
from datetime import UTC, datetime
from paved_runtime.batch import files, lines, lookups, results
from paved_runtime.spec import Data

source, target, parts = map(Path, sys.argv[1:4])
data = Data.model_validate(tomllib.loads(sys.argv[4]))
store = lookups.OfflineStore(root=source.parent, lookups={}, data=data, groups={}, until=datetime.now(UTC))
with source.open("rb") as stream, lines.Writer(parts, payload_mb=1) as writer:
    rows = files.read(stream, source, store)
    assert all(map(writer.add, rows.texts))
written = results.opened(target, rows.keep, rows.schema, data, "0123456789ab")
for part in msgspec.json.Decoder(lines.Part).decode_lines((parts / "part-00000.jsonl").read_bytes()):
    answer = lines.Answer(error="no age") if b"null" in bytes(part.row) else lines.Answer(score=part.number / 4)
    written.add([(part, answer, answer.error or "")])
written.close()
"""
CONTRACT = """
target = "y"
positive = "1"
negative = "0"
minimum_rows = 1
holdout = 0.5

[columns]
age = { type = "integer", minimum = 0, maximum = 120, missing = 0.9 }
member = { type = "boolean", true = "J", false = "N" }
since = { type = "date", minimum = 2000-01-01, maximum = 2030-12-31 }
"""
KEPT = {
    "id": pa.array([12345678901234567, None, 3], pa.int64()),
    "on": pa.array([date(2026, 11, 30), None, date(2020, 1, 1)], pa.date32()),
    "at": pa.array([datetime(2026, 11, 30, 7, 30, tzinfo=UTC), None, datetime(2026, 11, 30, tzinfo=UTC)], pa.timestamp("us", "UTC")),
    "when": pa.array([datetime(2026, 11, 30), None, datetime(2026, 11, 30, 1)], pa.timestamp("ms")),
    "ok": pa.array([True, None, False]),
    "share": pa.array([0.1, None, 1e-30]),
    "part": pa.array(["a", "b", "ü"]).dictionary_encode(),
}
FEATURES = {"age": pa.array([20, None, 30]), "member": pa.array([True, False, True]), "since": pa.array([date(2020, 1, 2)] * 3)}
Json = dict[str, Any]


@pytest.fixture
def borrowed(tmp_path: Path) -> dict[str, str]:
    return borrow(tmp_path / "borrowed", "pyarrow")


def test_rows_of_parquet_come_back_with_the_types_that_they_came_with(tmp_path: Path, borrowed: dict[str, str]) -> None:
    source, target = tmp_path / "rows.parquet", tmp_path / "results.parquet"
    pq.write_table(pa.table({**KEPT, **FEATURES}), source, row_group_size=2)
    command = [python(), "-c", PROGRAM, str(source), str(target), str(tmp_path / "parts"), CONTRACT]
    done = subprocess.run(command, cwd=ROOT, env=borrowed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line)["row"] for line in (tmp_path / "parts/part-00000.jsonl").read_text().splitlines()]
    results = pq.read_table(target)

    assert rows == [{"age": age, "member": age is not None, "since": "2020-01-02"} for age in (20, None, 30)]
    assert results.column_names == [*KEPT, "score", "error", "model_version"]
    for name, column in KEPT.items():
        plain = column.dictionary_decode() if name == "part" else column
        assert results[name].combine_chunks().equals(plain), name
    assert results["score"].to_pylist() == [0, None, 0.5]
    assert results["error"].to_pylist() == ["", "no age", ""]
    assert set(results["model_version"].to_pylist()) == {"0123456789ab"}


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"age": FEATURES["age"]}, "expected columns age, member, since, found no column 'member' and 1 more that lack"),
        (FEATURES | {"tags": pa.array([[1], [], None])}, "column 'tags': expected columns of integers"),
    ],
)
def test_a_file_that_is_no_table_of_the_model_is_refused(tmp_path: Path, borrowed: dict[str, str], columns: Json, line: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    command = [python(), "-c", PROGRAM, str(tmp_path / "rows.parquet"), "", str(tmp_path / "parts"), CONTRACT]
    done = subprocess.run(command, cwd=ROOT, env=borrowed, capture_output=True, text=True, check=False)

    assert done.stderr.splitlines()[-1].startswith(f"paved_runtime.batch.errors.FileError: {line}")
