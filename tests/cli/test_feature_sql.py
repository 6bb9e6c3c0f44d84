"""A group's SQL makes the same of the same source, reaches nothing else, and what it makes is what the group declares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import feature_sql
from cli.feature_sql import Record
from cli.problem import Problem
from tests.support.feature_groups import GROUPS, HEADER, MADE, ROWS, group, source, with_sql

PLAIN = "SELECT customer_id, day::DATE AS as_of, balance::DOUBLE AS balance_mean_30d, visits::INTEGER AS visits_7d, segment FROM source"


def made(files: Sequence[Path], groups: Path = GROUPS) -> list[Record]:
    with feature_sql.made(group(), files, groups) as features:
        records = [record for batch in features.batches() for record in batch]
        times = [str(record[1]) for record in records]
        assert (features.rows, features.first, features.last) == (len(records), min(times, default=None), max(times, default=None))
    return records


def test_features_are_made_of_a_file(tmp_path: Path) -> None:
    assert made([source(tmp_path)]) == MADE


def test_and_of_several_whatever_their_order_and_that_of_their_columns(tmp_path: Path) -> None:
    first = source(tmp_path, ROWS[1:], name="it's [1] *.CSV")
    second = source(tmp_path, ["2,1.5,007,2026-01-01,gold"], name="a.csv", header="visits,balance,customer_id,day,segment")

    assert made([first, second]) == made([second, first]) == MADE


def test_parquet_says_itself_what_its_values_are(tmp_path: Path) -> None:
    table = {"customer_id": ["007"], "day": [datetime(2026, 1, 1, 12, 0, 1, 500_000)], "balance": [1.5], "visits": [2], "segment": [None]}
    pq.write_table(pa.table(table), tmp_path / "visits.parquet")
    groups = with_sql(tmp_path, PLAIN.replace("day::DATE", "day"))

    assert made([tmp_path / "visits.parquet"], groups) == [("007", "2026-01-01T12:00:01.500Z", 1.5, 2, None)]


def test_times_are_those_of_greenwich(tmp_path: Path) -> None:
    groups = with_sql(tmp_path, PLAIN.replace("day::DATE", "day::TIMESTAMPTZ") + ";\n-- done\n")

    assert made([source(tmp_path, ["a,2026-01-01 01:00:00+02:00,,,"])], groups) == [("a", "2025-12-31T23:00:00Z", None, None, None)]


def test_a_source_without_rows_makes_no_records(tmp_path: Path) -> None:
    assert made([source(tmp_path, [])]) == []


ROW = st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.floats(-1e6, 1e6), st.integers(0, 9))


@settings(max_examples=5)  # each makes two databases
@given(st.lists(ROW, unique_by=lambda row: row[:2]))
def test_the_same_rows_make_the_same_records(rows: list[tuple[str, int, float, int]]) -> None:
    lines = [f"{who},2026-01-0{day},{balance!r},{visits},x" for who, day, balance, visits in rows]
    with TemporaryDirectory() as folder:
        assert made([source(Path(folder), lines)]) == made([source(Path(folder), lines[::-1])])


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT 1; SELECT 2", "found SELECT, SELECT: it is one SELECT"),
        ("DROP TABLE source", "found DROP: it is one SELECT"),
        ("COPY source TO 'x.csv'", "found COPY: it is one SELECT"),
        ("-- nothing", "found nothing: it is one SELECT"),
        ("SELECT FROM source", "Parser Error: SELECT clause without selection list"),
        ("SELECT 1 AS customer_id", "it reads nothing: it may read source, and nothing else"),
        ("SELECT * FROM source JOIN accounts USING (customer_id)", "it reads accounts, source: it may read source"),
        ("SELECT * FROM source, '/etc/passwd'", "it reads /etc/passwd, source"),
        ("WITH a AS (FROM other) SELECT * FROM a, source", "it reads other, source"),
        ("SELECT *, now() AS at FROM source", "now makes something else of the same source every time"),
        ("SELECT *, current_date AS at FROM source", "current_date makes something else"),
        ("SELECT * FROM source ORDER BY random()", "random makes something else"),
        ("SELECT customer_id FROM source", "column 'as_of' is not there: it yields customer_id"),
        (PLAIN.replace("SELECT ", "SELECT day, "), "column 'day' is not declared: group.toml has customer_id, as_of"),
        (PLAIN.replace("segment", "visits AS segment, segment"), "a column is there twice"),
    ],
)
def test_what_an_sql_may_not_do_is_found_without_rows(tmp_path: Path, sql: str, why: str) -> None:
    with pytest.raises(Problem) as refused:
        feature_sql.check(group(), with_sql(tmp_path, sql))
    assert str(refused.value).startswith(f"features.sql of customer_activity: {why}")


def test_what_is_fine_is_fine(tmp_path: Path) -> None:
    feature_sql.check(group(), GROUPS)
    for sql in (PLAIN, "FROM source", "WITH source AS (FROM source) FROM source", PLAIN + " UNION ALL FROM source", f"({PLAIN})"):
        feature_sql.check(group(), with_sql(tmp_path, sql))
    with_sql(tmp_path, PLAIN.replace("customer_id,", "age AS customer_id,") + " WHERE now IS NOT NULL")
    assert feature_sql.problems(tmp_path / "feature_groups") == feature_sql.problems(tmp_path / "none") == []


def test_all_that_is_wrong_with_groups_is_told(tmp_path: Path) -> None:
    groups = with_sql(tmp_path, "SELECT now() FROM source")
    (groups / "visits").mkdir()
    (groups / "visits" / "group.toml").write_text("")

    (sql, *missing) = feature_sql.problems(groups)
    assert "now makes something else" in sql
    assert "feature_groups/visits/group.toml: description: this key is required" in missing


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("day::DATE", "day", "column 'as_of' is VARCHAR, accepted is DATE, TIMESTAMP (in UTC) or TIMESTAMPTZ: cast it"),
        ("customer_id,", "customer_id::INTEGER AS customer_id,", "column 'customer_id' is INTEGER, accepted is VARCHAR"),
        ("visits::INTEGER", "visits::DOUBLE", "column 'visits_7d' is DOUBLE, accepted is an integer"),
        ("balance::DOUBLE", "balance = '1'", "column 'balance_mean_30d' is BOOLEAN, accepted is FLOAT or DOUBLE or DECIMAL"),
        ("segment", "1 AS segment", "column 'segment' is INTEGER, accepted is VARCHAR"),
        ("customer_id,", "nullif(customer_id, '8') AS customer_id,", "customer_id is empty: '' at 2026-01-03T00:00:00Z"),
        ("customer_id,", "repeat('é', 1025) AS customer_id,", "customer_id has more than 2048 bytes"),
        ("day::DATE", "nullif(day, '2026-01-01')::DATE", "as_of is empty: '007' at None"),
        ("day::DATE", "'infinity'::TIMESTAMPTZ", "as_of is no moment"),
        ("balance::DOUBLE", "'nan'::DOUBLE", "balance_mean_30d is no finite number: '007' at 2026-01-01T00:00:00Z"),
        ("customer_id,", "'a' AS customer_id,", "there are several records of 'a' at 2026-01-03T00:00:00Z"),
        ("visits::INTEGER", "9223372036854775808", "Conversion Error: "),
        ("visits::INTEGER", "(SELECT count(*) FROM read_text('/etc/passwd'))", "Permission Error: "),
        ("visits::INTEGER", "segment::INTEGER", "Conversion Error: Could not convert string 'gold' to INT32"),
        ("segment", "colour AS segment", 'Binder Error: Referenced column "colour" not found'),
    ],
)
def test_what_a_store_should_not_have_is_told_with_its_row(tmp_path: Path, before: str, after: str, why: str) -> None:
    with pytest.raises(Problem) as refused:
        made([source(tmp_path)], with_sql(tmp_path, PLAIN.replace(before, after, 1)))
    assert str(refused.value).startswith(f"features.sql of customer_activity: {why}")


def test_nothing_is_known_before_it_has_happened(tmp_path: Path) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()

    with pytest.raises(Problem, match=rf"as_of is in the future: 'a' at {tomorrow + timedelta(days=1)}T00:00:00Z"):
        made([source(tmp_path, [f"a,{tomorrow},1,1,x"])])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a;b\n1;2\n", "found a header separated by semicolons"),
        ("", "it has no header"),
        ("a,a\n1,2\n", "2 columns are called 'a'"),
        ("customer_id\n1,2,3\n", "Invalid Input Error: CSV Error on Line: 2"),
        ('customer_id\n"1\n', "Invalid Input Error: CSV Error on Line: 2"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "visits.csv"
    file.write_text(content)

    with pytest.raises(Problem) as refused:
        made([file])
    assert str(refused.value).startswith("source")
    assert why in str(refused.value)


def test_files_of_one_source_have_the_same_columns(tmp_path: Path) -> None:
    files = [source(tmp_path), source(tmp_path, ["1"], name="other.csv", header="customer_id")]

    with pytest.raises(Problem, match=r"other\.csv: its columns are 'customer_id', those of visits\.csv 'customer_id, day"):
        made(files)


def test_a_folder_is_all_its_files_of_rows(tmp_path: Path) -> None:
    for name in ("b.csv", "a.CSV", "notes.txt"):
        (tmp_path / name).write_text(HEADER)

    assert feature_sql.sources([tmp_path]) == [tmp_path / "a.CSV", tmp_path / "b.csv"]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["none.csv"], r"none\.csv: there is no such file"),
        (["empty"], r"empty: it has no file of \.csv, \.parquet"),
        (["a.csv", "b.parquet"], r"found \.csv, \.parquet: name files of one kind"),
        (["notes.txt"], r"found \.txt"),
    ],
)
def test_what_is_no_source_is_named(tmp_path: Path, names: list[str], why: str) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a.csv", "b.parquet", "notes.txt"):
        (tmp_path / name).write_text("")

    with pytest.raises(Problem, match=why):
        feature_sql.sources([tmp_path / name for name in names])
