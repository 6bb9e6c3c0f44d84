"""A batch's keys are joined by DuckDB, as an image has it that asks for it: each row gets what was known of its own key, at the moment."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from tests.reference import ROOT
from tests.support.borrowed import environment
from tests.support.container import python

PROGRAM = """
import sys, tomllib
from datetime import UTC, datetime
from pathlib import Path
from paved_runtime.batch import files, lookups
from paved_runtime.online_store import Group
from paved_runtime.spec import Data, Lookup

root, source = map(Path, sys.argv[1:3])
store = lookups.OfflineStore(
    root=root,
    lookups={"accounts": Lookup(key="customer", columns=("balance", "since", "note"), maximum_age_hours=24)},
    data=Data.model_validate(tomllib.loads(sys.argv[3])),
    groups={"accounts": Group("scores-accounts", "customer_id", "as_of")},
    until=datetime(2026, 11, 30, 12, tzinfo=UTC),
)
with source.open("rb") as stream:
    for text in files.read(stream, source, store).texts:
        print('{"number": 0, ' + text)
"""
CONTRACT = """
target = "y"
positive = "1"
negative = "0"
minimum_rows = 1
holdout = 0.5

[columns]
age = { type = "integer", minimum = 0, maximum = 120 }
balance = { type = "number", minimum = -1e9, maximum = 1e9, missing = 0.9 }
since = { type = "date", minimum = 2000-01-01, maximum = 2030-12-31, missing = 0.9 }
note = { type = "text", maximum_length = 40, missing = 0.9 }
"""
MOMENT = pa.timestamp("ms", tz="UTC")
TODAY, OLD = "2026-11-30T08:00:00Z", "2026-11-29T11:59:59Z"
KEYS = ["c1", "007", "7", "a;b", "a,b", 'a"b', "'", " x ", "ü\U0001f600", "NULL", "customer_id", "|", "\\"]
Json = dict[str, Any]


def stored(folder: Path, records: Sequence[tuple[str, str, float | None, str]]) -> None:
    """An offline store: of each record identifier, event time, balance, and when it came."""
    folder.mkdir(parents=True)
    came = pa.array([datetime.fromisoformat(record[3]) for record in records], MOMENT)
    columns = {
        "customer_id": pa.array([record[0] for record in records], pa.string()),
        "as_of": pa.array([record[1] for record in records], pa.string()),
        "balance": pa.array([record[2] for record in records], pa.float64()),
        "since": pa.array(["2020-01-02"] * len(records), pa.string()),
        "note": pa.array([f"of {record[0]}" for record in records], pa.string()),
        "ingestion": pa.array([None] * len(records), pa.string()),
        "api_invocation_time": came,
        "write_time": came,
        "is_deleted": pa.array([False] * len(records)),
    }
    pq.write_table(pa.table(columns), folder / "part.parquet")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The inputs of a job."""
    records = [(key, TODAY, number / 7, TODAY) for number, key in enumerate(KEYS)]
    later = [("c1", "2026-11-30T11:00:00Z", 99.0, "2026-11-30T12:00:01Z"), ("c1", "2026-11-30T07:00:00Z", 98.0, "2026-11-30T09:00:00Z")]
    stored(tmp_path / "inputs/features_accounts", [*records, *later, ("old", OLD, 1.0, OLD), ("null", TODAY, None, TODAY)])
    return tmp_path / "inputs"


def rows(root: Path, source: Path) -> list[Json]:
    command = [python(), "-c", PROGRAM, str(root), str(source), CONTRACT]
    borrowed = environment(root.parent / "borrowed", "duckdb", "pyarrow")
    done = subprocess.run(command, cwd=ROOT, env=borrowed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def due(key: str) -> Json:
    known = key in KEYS
    balance = KEYS.index(key) / 7 if known else None
    return {"age": 1, "balance": balance, "since": "2020-01-02" if known else None, "note": f"of {key}" if known else None}


def test_every_key_gets_its_own_as_of_the_moment(root: Path, tmp_path: Path) -> None:
    keys = [*KEYS, "old", "nobody", "", *reversed(KEYS)]
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["customer", "age"], *([key, 1] for key in keys)])
    answered = rows(root, tmp_path / "rows.csv")

    assert [each["row"] for each in answered] == list(map(due, keys))
    assert [each["keep"] for each in answered] == [{"customer": key} for key in keys]


def test_a_record_without_a_value_is_a_record(root: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"age": pa.array([1, 2]), "customer": pa.array(["null", "c1"])}), tmp_path / "rows.parquet")
    first, second = rows(root, tmp_path / "rows.parquet")

    assert first["row"] == {"age": 1, "balance": None, "since": "2020-01-02", "note": "of null"}
    assert second["row"] == due("c1") | {"age": 2}


def test_lines_of_json_are_joined_too(root: Path, tmp_path: Path) -> None:
    own = {"age": 1, "balance": 5, "since": None, "note": None}
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, [{"age": 1, "customer": "007"}, own, {"age": 1, "customer": 7}])))
    answered = rows(root, tmp_path / "rows.jsonl")

    assert [each["row"] for each in answered] == [due("007"), own, due("7")]
