"""The look at a data set before it is uploaded: it names the first mistake, and it judges as the training job will. Then it is stored."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naming
from cli import datasets, rows
from cli.datasets import DataFile
from cli.problem import Problem
from paved_runtime import contract
from paved_runtime.rules import rules
from paved_runtime.spec import Boolean, Category, Column, Date, Integer, Lookup, ModelSpec
from pipelines.deployment.registry import Registry
from pipelines.evidence import pack
from tests import reference
from tests.support.facts import FACTS
from tests.support.fakes import Altered, clients
from tests.support.moto_server import Clients

REFERENCE = reference.model()
MODEL = REFERENCE.model_copy(update={"data": REFERENCE.data.model_copy(update={"minimum_rows": 2})})
COLUMNS = MODEL.data.columns
OPTIONAL = MODEL.model_copy(
    update={"data": MODEL.data.model_copy(update={"columns": {n: c.model_copy(update={"missing": 0.5}) for n, c in COLUMNS.items()}})}
)
Row = dict[str, str]


def good(outcome: str) -> Row:
    row = {name: str(rule.spell(0)) for name, rule in rules(MODEL.data).items()} | {"age": "18", "day": "1", "campaign": "1"}
    return {**row, "duration": "7", "y": outcome}


def write(path: Path, rows: list[Row], header: list[str] | None = None) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, header or list(rows[0]), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def refusal(path: Path, model: ModelSpec = MODEL) -> str:
    with pytest.raises(Problem) as raised:
        datasets.check(path, model)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_good_file_is_measured(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [good("yes"), good("no"), good("no")])

    checked = datasets.check(path, MODEL)

    assert (checked.rows, checked.bytes) == (3, path.stat().st_size)
    assert checked.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("header", [sorted(good("yes")), sorted(good("yes"), reverse=True)])
def test_columns_may_come_in_any_order(tmp_path: Path, header: list[str]) -> None:
    assert datasets.check(write(tmp_path / "data.csv", [good("yes"), good("no")], header), MODEL).rows == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"age": "x"}, "row 2, column 'age': expected an integer between 18 and 120, found 'x'"),
        ({"age": "17"}, "row 2, column 'age': expected an integer between 18 and 120, found '17'"),
        ({"age": "44.5"}, "row 2, column 'age': expected an integer between 18 and 120, found '44.5'"),
        ({"age": ""}, "row 2, column 'age': expected an integer between 18 and 120, found ''"),
        ({"age": "nan"}, "row 2, column 'age': expected an integer between 18 and 120, found 'nan'"),
        ({"marital": "Single"}, "row 2, column 'marital': expected one of 'divorced', 'married', 'single', found 'Single'"),
        ({"y": "maybe"}, "row 2, column 'y': expected 'yes' or 'no', found 'maybe'"),
        ({"y": ""}, "row 2, column 'y': expected 'yes' or 'no', found '': leave out the rows whose outcome is not known"),
        ({"y": "Yes"}, "row 2, column 'y': expected 'yes' or 'no', found 'Yes': spelt 'yes' it would be an outcome"),
        ({"y": " no"}, "row 2, column 'y': expected 'yes' or 'no', found ' no': spelt 'no' it would be an outcome"),
    ],
)
def test_a_wrong_value_is_named_with_row_and_column(tmp_path: Path, change: Row, expected: str) -> None:
    path = write(tmp_path / "data.csv", [good("yes"), {**good("no"), **change}, good("no")])
    assert expected in refusal(path)


@pytest.mark.parametrize("empty", ["", "No"])
def test_no_other_text_stands_for_an_outcome(tmp_path: Path, empty: str) -> None:
    """Every row of one outcome was emptied, or written otherwise."""
    path = write(tmp_path / "data.csv", [good("yes"), good(empty), good("yes"), good(empty)])
    assert f"row 2, column 'y': expected 'yes' or 'no', found {empty!r}" in refusal(path)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda header: header[1:], "column 'age': expected it in the header, which is 'job,marital,"),
        (lambda header: [*header, "age"], "2 columns are called 'age': give each column a name of its own"),
        (lambda header: [*header, "shoe_size"], "column 'shoe_size': expected only columns of the contract, found this one"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, edit: Callable[[list[str]], list[str]], expected: str) -> None:
    rows = [{**good(outcome), "shoe_size": "43"} for outcome in ("yes", "no")]
    assert expected in refusal(write(tmp_path / "data.csv", rows, edit(list(good("yes")))))


def test_files_that_hold_no_data_are_named(tmp_path: Path) -> None:
    empty, header_only, short = (tmp_path / name for name in ("empty.csv", "header.csv", "short.csv"))
    empty.touch()
    header_only.write_text(",".join(good("yes")) + "\n")
    short.write_text(header_only.read_text() + "1,2\n")

    assert "there is no such file" in refusal(tmp_path / "none.csv")
    assert "it has no header" in refusal(empty)
    assert "found only a header" in refusal(header_only)
    assert "row 1: expected 17 cells, found 2" in refusal(short)


def test_too_few_rows_and_one_outcome_are_named(tmp_path: Path) -> None:
    assert "expected at least 1000 rows, found 2" in refusal(write(tmp_path / "few.csv", [good("yes"), good("no")]), REFERENCE)
    assert "found only 'no'" in refusal(write(tmp_path / "single.csv", [good("no"), good("no")]))


def other(task: str, **target: object) -> ModelSpec:
    """The model with a target of another task."""
    data = MODEL.data.model_copy(update={"positive": None, "negative": None, **target})
    return MODEL.model_copy(update={"task": task, "data": data})


GRADED = other("multiclass", classes=("low", "medium", "high"))
AMOUNTS = other("regression", target_minimum=0.0, target_maximum=500.0)


def test_every_class_must_occur_and_no_other(tmp_path: Path) -> None:
    grades = [good(grade) for grade in ("low", "medium", "high")]
    assert datasets.check(write(tmp_path / "good.csv", grades), GRADED).rows == 3
    assert "expected 'low' and 'medium' and 'high', 'high' is not there, found only 'low', 'medium'" in refusal(
        write(tmp_path / "two.csv", grades[:2]), GRADED
    )
    assert (
        "row 4, column 'y': expected 'low', 'medium' or 'high', found 'High': spelt 'high' it would be an outcome: correct the spelling"
        in refusal(write(tmp_path / "other.csv", [*grades, good("High")]), GRADED)
    )


def test_numbers_lie_in_their_range_and_differ(tmp_path: Path) -> None:
    assert datasets.check(write(tmp_path / "good.csv", [good("0"), good("499.5"), good("5e2")]), AMOUNTS).rows == 3
    assert "row 2, column 'y': expected a number from 0 to 500, found '501': correct the cell, leave out the row, or widen" in refusal(
        write(tmp_path / "above.csv", [good("1"), good("501")]), AMOUNTS
    )
    assert "row 2, column 'y': expected a number from 0 to 500, found '': leave out the rows whose outcome is not known" in refusal(
        write(tmp_path / "empty.csv", [good("1"), good("")]), AMOUNTS
    )
    assert "column 'y': expected numbers that differ, found only '7', '7.0'" in refusal(
        write(tmp_path / "same.csv", [good("7"), good("7.0")]), AMOUNTS
    )


@pytest.mark.parametrize("model", [GRADED, AMOUNTS], ids=["classes", "numbers"])
@given(cell=st.text(max_size=4) | st.floats().map(str) | st.sampled_from(["low", "Low", " 20", "1e2", "+30", "٣٠", "inf", "0x20"]))
@settings(max_examples=150, deadline=None)
def test_it_judges_the_target_as_the_training_job_does(tmp_path_factory: pytest.TempPathFactory, model: ModelSpec, cell: str) -> None:
    folder = tmp_path_factory.mktemp("data")
    known = model.data.classes or ("1", "2")
    path = write(folder / "data.csv", [*map(good, known), good(cell)])
    assert _accepts(lambda: datasets.check(path, model)) == _accepts(lambda: contract.read(folder, model.data))


def cells(column: Column) -> st.SearchStrategy[str]:
    wild = st.one_of(
        st.text(max_size=6), st.floats().map(str), st.integers().map(str), st.sampled_from(["", " 20", "1e2", "+30", "٣٠", "inf", "0x20"])
    )
    if isinstance(column, Category):
        return st.one_of(st.sampled_from(column.values), wild)
    assert isinstance(column, Integer)
    return st.one_of(st.integers(column.minimum - 2, column.maximum + 2).map(str), wild)


def test_columns_that_are_looked_up_are_not_stored_and_keys_are(tmp_path: Path) -> None:
    looking_up = MODEL.model_copy(update={"features": {"activity": Lookup(key="customer", columns=("age",))}})
    keyed = [{**good(outcome), "customer": "c1"} for outcome in ("yes", "no")]
    header = [name for name in keyed[0] if name != "age"]

    assert datasets.check(write(tmp_path / "keyed.csv", keyed, header), looking_up).rows == 2
    assert "column 'customer': expected it in the header" in refusal(write(tmp_path / "whole.csv", [good("yes"), good("no")]), looking_up)
    assert "expected only columns of the contract, found this one" in refusal(write(tmp_path / "both.csv", keyed), looking_up)
    for name, made in {"made-up.csv": [good("yes"), good("no")], "with-keys.csv": keyed}.items():
        assert datasets.check(write(tmp_path / name, made), looking_up.whole).rows == 2
    sent = rows.request(rows.read(tmp_path / "keyed.csv", looking_up.data)[0], looking_up)
    assert "age" not in sent
    assert sent["customer"] == "c1"


@pytest.mark.parametrize("model", [MODEL, OPTIONAL], ids=["filled", "optional"])
@given(changes=st.fixed_dictionaries({}, optional={name: cells(column) for name, column in COLUMNS.items()}))
@settings(max_examples=150, deadline=None)
def test_it_judges_cells_as_the_training_job_does(
    tmp_path_factory: pytest.TempPathFactory, model: ModelSpec, changes: Mapping[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("data")
    path = write(folder / "data.csv", [good("yes"), {**good("no"), **changes}])
    assert _accepts(lambda: datasets.check(path, model)) == _accepts(lambda: contract.read(folder, model.data))


def _accepts(check: Callable[[], object]) -> bool:
    try:
        check()
    except (Problem, contract.ContractError):
        return False
    return True


DAY = Date(type="date", minimum=date(2020, 1, 1), maximum=date(2026, 12, 31), missing=0.9)
BOOLEAN = Boolean(type="boolean", true="Y", false="N")
DATED = MODEL.model_copy(
    update={
        "data": MODEL.data.model_copy(update={"columns": {"paid": DAY, "active": BOOLEAN}, "group": "id", "time": "asked", "split": "time"})
    }
)
ROW = {"id": "7", "asked": "2026-05-01", "paid": "2026-05-01", "active": "Y", "y": "yes"}
FITTING = st.sampled_from(["", "Y", "N", "true", "7", "2026-05-01", "2026-05-02", "2026-04-30", "2026-02-30", "2019-12-31", "2030-01-01"])


@given(changes=st.dictionaries(st.sampled_from(list(ROW)[:-1]), FITTING, min_size=1, max_size=3))
@settings(deadline=None)
def test_it_judges_dates_booleans_and_what_says_how_to_split_as_the_training_job_does(
    tmp_path_factory: pytest.TempPathFactory, changes: Mapping[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("data")
    path = write(folder / "data.csv", [ROW, {**ROW, "y": "no", **changes}])
    trained = contract.inspect(folder, DATED.data).checks

    assert _accepts(lambda: datasets.check(path, DATED)) == all(check.passed for check in trained)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"paid": "2026-05-02"}, "row 2, column 'paid': expected no date after 'asked', which is 2026-05-01, found '2026-05-02'"),
        ({"asked": ""}, "row 2, column 'asked': expected a date between 0001-01-01 and 9999-12-31, found ''"),
        ({"id": ""}, "row 2, column 'id': expected a text in every row, found ''"),
        ({"active": "true"}, "row 2, column 'active': expected true or false, in CSV 'Y' or 'N', found 'true'"),
    ],
)
def test_the_first_mistake_of_them_is_named(tmp_path: Path, change: Row, why: str) -> None:
    path = write(tmp_path / "data.csv", [ROW, {**ROW, "y": "no", **change}])
    assert why in refusal(path, DATED)


def stored(tmp_path: Path, content: bytes) -> DataFile:
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    return DataFile(path=path, sha256=digest(content), rows=1, bytes=len(content))


@pytest.fixture
def bucket(client: Clients) -> str:
    """The model's data bucket, versioned as its stack makes it."""
    s3 = client("s3")
    s3.create_bucket(Bucket=FACTS.data_bucket, CreateBucketConfiguration={"LocationConstraint": reference.CONFIG.toolchain.region})
    s3.put_bucket_versioning(Bucket=FACTS.data_bucket, VersioningConfiguration={"Status": "Enabled"})
    return FACTS.data_bucket


def test_data_are_stored_once_by_content_and_pointed_to(
    client: Clients, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, ssm = client("s3"), client("ssm")
    registry = Registry(config=reference.CONFIG, model=MODEL, facts=FACTS, clients=clients({"s3": s3, "ssm": ssm}))
    key = f"data/{digest(b'ab')}/data.csv"

    first = datasets.store(registry, stored(tmp_path, b"ab"))
    version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
    again = datasets.store(registry, stored(tmp_path, b"ab"))

    assert first == again == {"uri": f"s3://{bucket}/{key}", "sha256": digest(b"ab"), "version": version, "rows": 1, "bytes": 2}
    assert capsys.readouterr().err.count("this content is stored already") == 1
    assert s3.head_object(Bucket=bucket, Key=key)["VersionId"] == version
    other = datasets.store(registry, stored(tmp_path, b"cd"))
    pointer = ssm.get_parameter(Name=naming.parameter(reference.CONFIG, MODEL.name, "data"))["Parameter"]["Value"]
    assert json.loads(pointer) == other
    assert {item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {key, f"data/{digest(b'cd')}/data.csv"}


def test_what_was_overwritten_since_is_stored_again(client: Clients, bucket: str, tmp_path: Path) -> None:
    """Other bytes, as many of them."""
    s3 = client("s3")
    registry = Registry(config=reference.CONFIG, model=MODEL, facts=FACTS, clients=clients({"s3": s3, "ssm": client("ssm")}))
    uri = datasets.store(registry, stored(tmp_path, b"ab"))["uri"]
    s3.put_object(Bucket=bucket, Key=uri.partition(f"{bucket}/")[2], Body=b"xy")
    again = datasets.store(registry, stored(tmp_path, b"ab"))

    assert pack.read(s3, uri) == b"ab"
    assert again["version"] == s3.head_object(Bucket=bucket, Key=uri.partition(f"{bucket}/")[2])["VersionId"]


def test_what_somebody_overwrites_at_once_is_no_success(client: Clients, bucket: str, tmp_path: Path) -> None:
    assert bucket == FACTS.data_bucket

    def another(_file: str, bucket: str, key: str) -> None:
        client("s3").put_object(Bucket=bucket, Key=key, Body=b"another")

    s3 = Altered(client("s3"), upload_file=another)
    registry = Registry(config=reference.CONFIG, model=MODEL, facts=FACTS, clients=clients({"s3": s3, "ssm": client("ssm")}))
    with pytest.raises(Problem, match=r"it is not what was uploaded: .*: somebody writes there too: store it once more"):
        datasets.store(registry, stored(tmp_path, b"ef"))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
