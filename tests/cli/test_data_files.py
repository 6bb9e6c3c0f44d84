"""A Parquet file is looked at before it is uploaded as a CSV file is, keeps its name, and its rows can be sent."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from cli import data_files, datasets, rows
from cli.problem import Problem
from paved_runtime.rules import rules
from pipelines.deployment.registry import Registry
from tests import reference
from tests.support.facts import FACTS
from tests.support.fakes import clients
from tests.support.moto_server import Clients

REFERENCE = reference.model()
MODEL = REFERENCE.model_copy(update={"data": REFERENCE.data.model_copy(update={"minimum_rows": 2})})


def good(outcome: str) -> dict[str, object]:
    row: dict[str, object] = {name: rule.spell(0) for name, rule in rules(MODEL.data).items()}
    return {**row, "age": 18, "day": 1, "campaign": 1, "duration": 7, "y": outcome}


def write(file: Path, *changes: dict[str, object]) -> Path:
    """A file of two good rows, with changes."""
    lines = [good(outcome) | change for outcome, change in zip(("yes", "no"), changes or ({}, {}), strict=True)]
    pq.write_table(pa.Table.from_pylist(lines), file)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(Problem) as raised:
        datasets.check(file, MODEL)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_good_file_is_measured(tmp_path: Path) -> None:
    file = write(tmp_path / "data.parquet")
    checked = datasets.check(file, MODEL)

    assert (checked.rows, checked.bytes) == (2, file.stat().st_size)


def test_a_wrong_value_is_named_as_its_cell_would_be(tmp_path: Path) -> None:
    file = write(tmp_path / "data.parquet", {}, {"age": 17})

    assert "row 2, column 'age': expected an integer between 18 and 120, found '17'" in refusal(file)
    assert "row 2, column 'y': expected 'yes' or 'no', found 'maybe'" in refusal(write(file, {}, {"y": "maybe"}))


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.parquet").write_text("age,y\n")

    assert "expected a Parquet file, found" in refusal(tmp_path / "data.parquet")
    assert "there is no such file: name a CSV or Parquet file" in refusal(tmp_path / "none.parquet")
    pq.write_table(pa.table({"age": [[1]]}), tmp_path / "lists.parquet")
    assert "column 'age': expected columns of integers" in refusal(tmp_path / "lists.parquet")


def test_its_rows_are_sent_as_those_of_csv(tmp_path: Path) -> None:
    (row, _) = rows.read(write(tmp_path / "data.parquet"), MODEL.data)

    assert rows.request(row, MODEL)["age"] == 18
    assert rows.request(row, MODEL) == rows.request({name: str(value) for name, value in good("yes").items()}, MODEL)


@pytest.mark.parametrize(("name", "suffix"), [("a.parquet", ".parquet"), ("a.PARQUET", ".parquet"), ("a.csv", ".csv"), ("a", ".csv")])
def test_a_copy_is_called_what_it_is(name: str, suffix: str) -> None:
    assert data_files.suffix(Path(name)) == suffix


def test_it_is_stored_under_a_name_that_says_so(tmp_path: Path, client: Clients) -> None:
    s3, ssm = client("s3"), client("ssm")
    s3.create_bucket(Bucket=FACTS.data_bucket, CreateBucketConfiguration={"LocationConstraint": reference.CONFIG.toolchain.region})
    s3.put_bucket_versioning(Bucket=FACTS.data_bucket, VersioningConfiguration={"Status": "Enabled"})
    registry = Registry(config=reference.CONFIG, model=MODEL, facts=FACTS, clients=clients({"s3": s3, "ssm": ssm}))
    file = datasets.check(write(tmp_path / "mine.parquet"), MODEL)

    pointer = datasets.store(registry, file)
    assert pointer["uri"] == f"s3://{FACTS.data_bucket}/data/{file.sha256}/data.parquet"
    assert s3.get_object(Bucket=FACTS.data_bucket, Key=f"data/{file.sha256}/data.parquet")["Body"].read() == file.path.read_bytes()
