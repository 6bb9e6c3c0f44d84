"""A training job's rows get what was known at their time, by DuckDB as an image has it, and are else the rows that were stored."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from tests.reference import MODEL, ROOT
from tests.support.borrowed import environment
from tests.support.container import python

PROGRAM = """
import json, sys
from pathlib import Path
from paved_runtime import looked_up_rows, spec
from paved_runtime.job import Job
from paved_runtime.spec import Data, Lookup

model, data, cases = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
accounts = Lookup(key="customer", columns=("balance", "visits"), maximum_age_hours=24 * 60)
declared = spec.load(model).model_copy(update={"data": Data.model_validate(data), "features": {"accounts": accounts}})

def told(case):
    try:
        with looked_up_rows.of(Job(spec=declared, root=Path(case["root"]), port=0, origin={}, environ=case["environ"])) as rows:
            reading = rows.inspect()
    except (FileNotFoundError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    values = [[None if cell != cell else cell for cell in row] for row in reading.examples.table.values.tolist()]
    broken = [str(check) for check in reading.checks if not check.passed]
    rows_of = {"digests": reading.examples.digests.tolist(), "digested": reading.digested, "sha256": reading.sha256}
    return {"values": values, "broken": broken, "features": rows.features, **rows_of}

print(json.dumps([told(case) for case in cases]))
"""
MOMENT = pa.timestamp("ms", tz="UTC")
UNTIL = "2026-04-01T00:00:00Z"
DATA = {
    "target": "y",
    "positive": "1",
    "negative": "0",
    "minimum_rows": 1,
    "holdout": 0.5,
    "time": "decided",
    "columns": {
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "insured": {"type": "boolean", "true": "yes", "false": "no"},
        "balance": {"type": "number", "minimum": -1e6, "maximum": 1e6, "missing": 0.9},
        "visits": {"type": "integer", "minimum": 0, "maximum": 100, "missing": 0.9},
    },
}
GROUP = {"feature_group_name": "road-accounts", "identifier": "id", "event_time": "as_of", "offline_store": "s3://features/accounts"}
ROWS = [
    ["customer", "decided", "age", "insured", "y"],
    ["a", "2026-03-02", "30", "yes", "1"],
    ["a", "2026-03-01", "31", "no", "0"],
    ["007", "2026-03-05", "32", "yes", "0"],
    ["nobody", "2026-03-05", "33", "no", "1"],
]
WHOLE = [["2026-03-02", "30", "yes", "10.5", "1", "1"], ["2026-03-01", "31", "no", "", "", "0"]]
JOINED = [[30, 1, 10.5, 1], [31, 0, None, None], [32, 1, 7.25, 7], [33, 0, None, None]]
Json = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One of an offline store: it came, and was written, when it happened, unless that is said."""

    identifier: str
    at: str
    balance: float
    visits: int
    ingestion: str | None = None
    written: str = ""


RECORDS = (
    Record("a", "2026-03-01T06:00:00Z", 10.5, 1),
    Record("a", "2026-03-02T00:00:01Z", 99.0, 9),
    Record("007", "2026-03-04T00:00:00Z", 7.25, 7, "first"),
    Record("7", "2026-03-04T00:00:00Z", 8.0, 8, "first"),
    Record("007", "2026-03-04T12:00:00Z", 70.0, 70, "later", written="2026-04-01T00:00:01Z"),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One job: its data set's files, its group's records (None: the channel is not there), and variables other than the usual."""

    files: dict[str, Sequence[Sequence[str]]] = field(default_factory=lambda: {"data.csv": ROWS})
    records: Sequence[Record] | None = RECORDS
    variables: dict[str, str] = field(default_factory=dict)


CASES = {
    "csv": Case(),
    "parquet": Case(files={"data.parquet": ROWS}),
    "later": Case(variables={"FEATURES_UNTIL": "2026-05-01T00:00:00Z"}),
    "now": Case(variables={"FEATURES_UNTIL": ""}),
    "files": Case(files={"b.csv": ROWS[:1] + ROWS[3:], "a.csv": ROWS[:3]}),
    "wide": Case(records=[Record("a", "2026-03-01T06:00:00Z", 10.5, 101)]),
    "no key": Case(files={"data.csv": [["decided", "age", "insured", "y"], ["2026-03-01", "1", "yes", "1"]]}),
    "there already": Case(files={"data.csv": [[*ROWS[0], "visits"], [*ROWS[1], "3"]]}),
    "no moment": Case(files={"data.csv": [ROWS[0], ["a", "soon", "1", "yes", "1"]]}),
    "too short": Case(files={"data.csv": [ROWS[0], ["a", "2026-03-01"]]}),
    "no table": Case(files={"data.csv": [[";".join(ROWS[0])]]}),
    "no file": Case(files={}),
    "no channel": Case(records=None),
    "no records": Case(records=[]),
    "no FEATURES": Case(variables={"FEATURES": ""}),
    "whole": Case(files={"data.csv": [["decided", "age", "insured", "balance", "visits", "y"], *WHOLE]}, variables={"FEATURES": ""}),
    "other FEATURES": Case(variables={"FEATURES": "{}"}),
    "wrong moment": Case(variables={"FEATURES_UNTIL": "yesterday"}),
}


def put(root: Path, case: Case) -> Json:
    """What the job has below /opt/ml, and its environment."""
    data, store = root / "input/data/data", root / "input/data/features_accounts"
    data.mkdir(parents=True)
    for name, rows in case.files.items():
        write_parquet(data / name, rows) if name.endswith(".parquet") else (data / name).write_text("".join(map(line, rows)))
    if case.records is not None:
        store.mkdir()
    if case.records:
        write_records(store / "part.parquet", case.records)
    usual = {"FEATURES": json.dumps({"accounts": GROUP}), "FEATURES_UNTIL": UNTIL}
    return {"root": str(root), "environ": {**usual, **case.variables}}


def line(row: Sequence[str]) -> str:
    return ",".join(row) + "\n"


def write_parquet(file: Path, rows: Sequence[Sequence[str]]) -> None:
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    typed = {
        "decided": pa.array([date.fromisoformat(day) for day in columns["decided"]], pa.date32()),
        "age": pa.array(list(map(int, columns["age"])), pa.int32()),
        "insured": pa.array([cell == "yes" for cell in columns["insured"]]),
    }
    pq.write_table(pa.table({**columns, **typed}), file)


def write_records(file: Path, records: Sequence[Record]) -> None:
    came = pa.array([datetime.fromisoformat(record.written or record.at) for record in records], MOMENT)
    columns = {
        "id": pa.array([record.identifier for record in records], pa.string()),
        "as_of": pa.array([record.at for record in records], pa.string()),
        "balance": pa.array([record.balance for record in records], pa.float64()),
        "visits": pa.array([record.visits for record in records], pa.int64()),
        "ingestion": pa.array([record.ingestion for record in records], pa.string()),
        "api_invocation_time": came,
        "write_time": came,
        "is_deleted": pa.array([False] * len(records)),
    }
    pq.write_table(pa.table(columns), file)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """What became of each case, all in one process."""
    folder = tmp_path_factory.mktemp("jobs")
    jobs = [put(folder / name, case) for name, case in CASES.items()]
    command = [python(), "-c", PROGRAM, MODEL, json.dumps(DATA), json.dumps(jobs)]
    borrowed = environment(folder / "borrowed", "duckdb", "pyarrow")
    done = subprocess.run(command, cwd=ROOT, env=borrowed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", ["csv", "parquet", "files"])
def test_each_row_gets_what_was_known_at_the_beginning_of_its_day(answers: dict[str, Json], name: str) -> None:
    assert answers[name]["values"] == JOINED
    assert all("'age'" not in broken and "'visits'" not in broken for broken in answers[name]["broken"])


def test_rows_are_those_that_were_stored_whatever_the_store_has(answers: dict[str, Json]) -> None:
    early, late = answers["csv"], answers["later"]

    assert (early["values"][2], late["values"][2]) == ([32, 1, 7.25, 7], [32, 1, 70, 70])
    assert early["digests"] == late["digests"]
    assert early["digested"] == [sorted(ROWS[0])]
    assert early["sha256"] == late["sha256"] == hashlib.sha256("".join(map(line, ROWS)).encode()).hexdigest()


def test_what_was_joined_is_told(answers: dict[str, Json]) -> None:
    told = {
        "feature_group": "road-accounts",
        "offline_store": "s3://features/accounts",
        "key": "customer",
        "columns": ["balance", "visits"],
        "until": UNTIL,
        "records": 4,
        "newest_event": "2026-03-04T00:00:00Z",
        "ingestions": {"first": 2},
        "rows": {"with_record": 2, "without_record": 2},
    }

    assert answers["csv"]["features"] == answers["files"]["features"] == {"accounts": told}
    assert answers["later"]["features"]["accounts"]["ingestions"] == {"first": 2, "later": 1}
    assert answers["now"]["features"]["accounts"]["until"][:10] >= f"{datetime.now(UTC):%Y-%m-%d}"


def test_rows_that_have_all_columns_are_taken_where_no_group_is_told(answers: dict[str, Json]) -> None:
    assert answers["whole"]["values"] == JOINED[:2]
    assert answers["whole"]["features"] is None


def test_what_is_looked_up_is_held_against_the_contract(answers: dict[str, Json]) -> None:
    assert [broken for broken in answers["wide"]["broken"] if "'visits'" in broken] == [
        "column 'visits': expected an integer between 0 and 100, null or an empty cell, found '101' (1 row, first 1)"
    ]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("no key", "FeatureError: the data set has no column 'customer', by which features are looked up"),
        ("there already", "FeatureError: column 'visits' comes from the feature group accounts: take it out of what has it, too"),
        ("no moment", "FeatureError: data.csv: Conversion Error"),
        ("too short", "FeatureError: data.csv: Invalid Input Error"),
        ("no table", "ContractError: data.csv breaks the data contract: expected CSV with commas"),
        ("no file", "FileNotFoundError: no *.csv in "),
        ("no channel", "ValueError: model.toml looks columns up in feature group accounts: this job has no input features_accounts"),
        ("no records", "FeatureError: feature group accounts has no records to look up: put some with ./road features put accounts"),
        ("no FEATURES", "ValueError: model.toml looks columns up in feature group accounts: this job has no input features_accounts"),
        ("other FEATURES", "ValueError: FEATURES lacks the feature group accounts"),
        ("wrong moment", "ValueError: FEATURES_UNTIL: expected a time like 2026-11-30T10:00:00Z, found 'yesterday'"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_a_line(answers: dict[str, Json], name: str, error: str) -> None:
    assert answers[name]["error"].startswith(error)
    assert "\n" not in answers[name]["error"]
