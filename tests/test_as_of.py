"""No row sees the future: each gets the features that were online at its time, as someone finds who replays what was written."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from paved_runtime import as_of
from paved_runtime.as_of import FeatureError, Lookup

START = datetime(2026, 3, 1, tzinfo=UTC)
MOMENT = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True)
class Record:
    """One that was written: times are hours after START."""

    identifier: str
    at: int
    came: int
    balance: float
    deleted: bool = False
    backfilled: bool = False

    @property
    def known(self) -> int:
        return self.at if self.backfilled else max(self.at, self.came)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def stored(records: list[Record], folder: Path) -> Path:
    """An offline store of a few files."""
    folder.mkdir()
    for number, part in enumerate((records[::2], records[1::2])):
        columns = {
            "customer": pa.array([r.identifier for r in part], pa.string()),
            "written": pa.array([f"{hours(r.at):%Y-%m-%dT%H:%M:%SZ}" for r in part], pa.string()),
            "balance": pa.array([None if r.deleted else r.balance for r in part], pa.float64()),
            "ingestion": pa.array(["backfill-1" if r.backfilled else None for r in part], pa.string()),
            "api_invocation_time": pa.array([hours(r.came) for r in part], MOMENT),
            "write_time": pa.array([hours(r.came) for r in part], MOMENT),
            "is_deleted": pa.array([r.deleted for r in part], pa.bool_()),
        }
        hour = folder / "year=2026" / f"hour={number:02d}"
        hour.mkdir(parents=True)
        pq.write_table(pa.table(columns), hour / "part.parquet")
    return folder


def joined(records: list[Record], rows: list[tuple[str, int]], age: timedelta | None = None) -> list[str]:
    """The balance that each row gets, as a cell."""
    with TemporaryDirectory() as folder:
        data, target = Path(folder) / "rows.csv", Path(folder) / "joined.csv"
        lines = [f"{number},{identifier},{hours(at).isoformat()}" for number, (identifier, at) in enumerate(rows)]
        data.write_text("\n".join(["number,client,decided", *lines, ""]))
        lookup = Lookup(
            group="customers",
            store=stored(records, Path(folder) / "store"),
            identifier="customer",
            event_time="written",
            key="client",
            columns=("balance",),
            maximum_age=age,
        )
        as_of.join(data, "decided", [lookup], target)
        with target.open(newline="") as file:
            table = list(csv.DictReader(file))
        assert [row["number"] for row in table] == [str(number) for number in range(len(rows))]
        assert [row["client"] for row in table] == [identifier for identifier, _ in rows]
        return [row["balance"] for row in table]


def replayed(records: list[Record], identifier: str, at: int) -> str:
    """What the online store would have answered, by writing record after record into one."""
    online: Record | None = None
    for record in sorted(records, key=lambda r: (r.known, r.came, r.at)):
        if record.identifier == identifier and record.known <= at and (online is None or record.at > online.at):
            online = record
    return "" if online is None or online.deleted else str(online.balance)


TIMES = st.integers(0, 12)
RECORDS = st.lists(
    st.builds(Record, st.sampled_from("ab"), TIMES, TIMES, st.integers(0, 10**6).map(float), st.booleans(), st.booleans()),
    max_size=12,
    unique_by=lambda r: (r.identifier, r.known, r.came, r.at),  # of two that came together, nobody knows which was first
)


@settings(max_examples=25)  # each takes a connection
@given(RECORDS, st.lists(st.tuples(st.sampled_from("abc"), TIMES), min_size=1, max_size=8))
def test_a_row_gets_what_was_online_at_its_time(records: list[Record], rows: list[tuple[str, int]]) -> None:
    assert joined(records, rows) == [replayed(records, identifier, at) for identifier, at in rows]


@settings(max_examples=25)
@given(RECORDS, st.lists(st.tuples(st.sampled_from("abc"), TIMES), min_size=1, max_size=8), TIMES)
def test_what_comes_later_changes_no_earlier_row(records: list[Record], rows: list[tuple[str, int]], now: int) -> None:
    early = [(identifier, at) for identifier, at in rows if at <= now]
    known = [record for record in records if record.known <= now]

    assert joined(records, early or [("a", now)]) == joined(known, early or [("a", now)])


def test_an_event_that_arrives_late_is_not_seen_before_it_came() -> None:
    late = Record("a", at=2, came=9, balance=7.0)

    assert joined([late], [("a", 5), ("a", 9)]) == ["", "7.0"]
    assert joined([Record("a", at=2, came=9, balance=7.0, backfilled=True)], [("a", 1), ("a", 2)]) == ["", "7.0"]


def test_what_is_older_than_it_may_be_counts_as_none() -> None:
    record = Record("a", at=0, came=0, balance=7.0)

    assert joined([record], [("a", 5), ("a", 6)], age=timedelta(hours=5)) == ["7.0", ""]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("number,customer,decided", "no column 'client'"),
        ("number,client,when", "no column 'decided'"),
        ("balance,client,decided", "column 'balance' comes from the feature group customers"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(tmp_path: Path, header: str, words: str) -> None:
    (tmp_path / "rows.csv").write_text(f"{header}\n1,a,2026-03-01\n")
    store = stored([Record("a", 0, 0, 1.0)], tmp_path / "store")
    lookup = Lookup(group="customers", store=store, identifier="customer", event_time="written", key="client", columns=("balance",))

    with pytest.raises(FeatureError, match=words):
        as_of.join(tmp_path / "rows.csv", "decided", [lookup], tmp_path / "joined.csv")


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01"])
def test_a_time_that_is_none_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.csv").write_text(f"client,decided\na,{text}\n")
    store = stored([Record("a", 0, 0, 1.0)], tmp_path / "store")
    lookup = Lookup(group="customers", store=store, identifier="customer", event_time="written", key="client", columns=("balance",))

    with pytest.raises(FeatureError, match=text) as caught:
        as_of.join(tmp_path / "rows.csv", "decided", [lookup], tmp_path / "joined.csv")
    assert "\n" not in str(caught.value)
