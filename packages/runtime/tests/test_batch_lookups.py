"""A batch's rows may have keys in place of columns: they get what the feature group had at one moment, or say that it had nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from batches import PROCESSING, Batch, table
from bodies import ROW

from paved_runtime import artifact, as_of, protocol
from paved_runtime.batch.errors import BatchError
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import JSON
from paved_runtime.spec import Lookup

LOOKUPS = {
    "accounts": Lookup(key="customer", columns=("balance", "loan"), maximum_age_hours=48),
    "contacts": Lookup(key="phone", columns=("contact",)),
}
GROUPS = {name: {"feature_group_name": f"scores-{name}", "identifier": "id", "event_time": "at"} for name in LOOKUPS}
LOOKED_UP = {column for lookup in LOOKUPS.values() for column in lookup.columns}
OWN = {name: value for name, value in ROW.items() if name not in LOOKED_UP}
KEYED = OWN | {"customer": "c1", "phone": "0049"}
UNTIL = "2026-11-30T10:00:00Z"
Json = dict[str, Any]


@dataclass
class Joined:
    """DuckDB's join, of records that are known by group and identifier; what it was asked."""

    records: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    asked: list[tuple[list[dict[str, str]], Sequence[as_of.Lookup]]] = field(default_factory=list)

    def __call__(self, rows: Path, time: str, lookups: Sequence[as_of.Lookup], target: Path) -> None:
        with rows.open(newline="", encoding="utf-8") as stream:
            lines = list(csv.DictReader(stream))
        assert {line[time] for line in lines} <= {"2026-11-30T10:00:00+00:00"}
        self.asked.append((lines, lookups))
        with target.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow([*lines[0], *(column for lookup in lookups for column in lookup.columns)])
            for line in lines:
                records = [(lookup, self.records.get((lookup.group, line[lookup.key]), {})) for lookup in lookups]
                writer.writerow([*line.values(), *(record.get(column, "") for lookup, record in records for column in lookup.columns)])


@pytest.fixture
def joined() -> Joined:
    return Joined(
        {("accounts", "c1"): {"balance": str(ROW["balance"]), "loan": ROW["loan"]}, ("contacts", "0049"): {"contact": ROW["contact"]}}
    )


@pytest.fixture(scope="module")
def archive(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("archive") / "model.tar.gz"
    artifact.pack(trained / "model", file)
    return file


@pytest.fixture
def batch(archive: Path, invocations: Invocations, joined: Joined, tmp_path: Path) -> Batch:
    plain = Batch.of(archive, "lead_scoring", invocations, tmp_path)
    for name in LOOKUPS:
        (tmp_path / "prepare" / PROCESSING / f"features_{name}").mkdir(parents=True)
    return replace(plain, lookups=LOOKUPS, join=joined)


def run(batch: Batch, **variables: str) -> Json:
    return batch.run(FEATURES=json.dumps(GROUPS), FEATURES_UNTIL=UNTIL, **variables)


def score(batch: Batch, row: Json) -> Any:
    (known,) = protocol.scores(json.loads(batch.invocations.reply(JSON, json.dumps(row).encode()).body))
    return known


def test_rows_with_keys_are_scored_as_the_whole_rows(batch: Batch, joined: Joined) -> None:
    batch.put("keyed.csv", table([KEYED | {"note": "n"}] * 3))
    batch.put("whole.csv", table([ROW]))
    batch.put("half.csv", table([{name: value for name, value in ROW.items() if name != "contact"} | {"phone": "0049"}]))
    manifest = run(batch)

    for name in ("keyed.csv", "whole.csv", "half.csv"):
        assert {float(row["score"]) for row in batch.rows(name)} == {score(batch, ROW)}
    assert list(batch.rows("keyed.csv")[0]) == ["customer", "phone", "note", "score", "error", "model_version"]
    assert (manifest["rows"], manifest["failed"], manifest["features_until"]) == (5, 0, UNTIL)
    (half, _), (keyed, lookups) = joined.asked
    assert (len(half), len(keyed)) == (1, 3)
    assert [(each.group, each.identifier, each.event_time, each.columns) for each in lookups] == [
        ("accounts", "id", "at", ("balance", "loan")),
        ("contacts", "id", "at", ("contact",)),
    ]
    assert [each.maximum_age and each.maximum_age.total_seconds() for each in lookups] == [48 * 3600, None]
    assert lookups[0].store == batch.root / "prepare" / PROCESSING / "features_accounts"


def test_the_monitor_sees_what_was_scored(batch: Batch) -> None:
    batch.put("keyed.csv", table([KEYED]))
    run(batch)
    (line,) = batch.captured

    assert json.loads(line["captureData"]["endpointInput"]["data"]) == ROW


def test_a_row_without_a_record_says_so(batch: Batch) -> None:
    good = table([KEYED, KEYED | {"customer": "c9"}, KEYED | {"phone": ""}])
    batch.put("a.csv", f"{good}1,2\r\n")
    run(batch)
    errors = [row["error"] for row in batch.rows("a.csv")]
    reason = f"column 'customer': expected a value of balance, loan in feature group accounts for 'c9', as of {UNTIL}, found none"

    assert errors[:2] == ["", reason]
    assert errors[2].startswith("column 'phone': expected a value of contact in feature group contacts for '', as of")
    assert errors[3].startswith(f"expected {len(KEYED)} cells (")
    assert errors[3].endswith(", found 2")
    assert [row["customer"] for row in batch.rows("a.csv")] == ["c1", "c9", "c1", ""]


def test_each_line_of_json_lacks_what_it_lacks(batch: Batch) -> None:
    lines = [
        KEYED,
        ROW | {"customer": "c9"},
        {name: value for name, value in ROW.items() if name != "contact"} | {"phone": "0049", "customer": 7},
        list(ROW.values()),
        KEYED | {"customer": "c9"},
        KEYED | {"customer": 1.5},
        OWN | {"balance": 1, "customer": "c1", "phone": "0049"},
        OWN,
    ]
    batch.put("a.jsonl", "\n\n".join(map(json.dumps, lines)) + "\n{\n")
    run(batch)
    scored = [json.loads(line) for line in (batch.results / "a.jsonl").read_text().splitlines()]

    assert [each["score"] for each in scored[:4]] == [score(batch, ROW)] * 4
    assert [each["score"] for each in scored[4:]] == [None] * 5
    assert scored[4]["error"].startswith("column 'customer': expected a value of balance, loan in feature group accounts for 'c9'")
    assert scored[5]["error"].startswith(
        "column 'customer': expected a text of 1 to 1000 printable characters, or a whole number, found 1.5"
    )
    assert "'loan'" in scored[6]["error"]
    assert "'balance'" in scored[7]["error"]
    assert scored[8]["error"].startswith("not JSON")
    assert scored[0]["customer"] == "c1"


def test_lines_that_lack_nothing_ask_for_nothing(batch: Batch, joined: Joined) -> None:
    batch.put("a.jsonl", json.dumps(ROW | {"customer": "c1"}))
    batch.put("b.csv", table([ROW | {"customer": "c1", "phone": "1"}]))

    assert run(batch)["failed"] == 0
    assert joined.asked == []


def test_some_columns_of_a_group_are_no_table(batch: Batch) -> None:
    batch.put("a.csv", table([KEYED | {"balance": 1}]))

    every = "expected all columns of feature group accounts (balance, loan) or none of them and 'customer', found only balance"
    with pytest.raises(BatchError, match=rf"^a.csv: line 1: {every}$".replace("(", r"\(").replace(")", r"\)")):
        run(batch)


def test_without_the_group_a_file_must_have_its_columns(batch: Batch) -> None:
    batch.put("a.csv", table([KEYED]))

    wanted = "expected columns balance, loan, or feature group accounts to look them up in: the job has no input features_accounts"
    with pytest.raises(BatchError, match=f"^a.csv: {wanted}, or no FEATURES$"):
        batch.run()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"FEATURES": "["}, r"^FEATURES: expected the model's feature groups in JSON: "),
        ({"FEATURES_UNTIL": "yesterday"}, r"^FEATURES_UNTIL: expected a time like 2026-11-30T10:00:00Z, found 'yesterday'$"),
    ],
)
def test_what_cannot_be_read_is_said(batch: Batch, variables: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        batch.prepare(**variables)
