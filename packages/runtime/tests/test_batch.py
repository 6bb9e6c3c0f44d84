"""A batch gives every row back once, in its place, with the score that the endpoint gives it, or with what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import task_rows
from batches import EXECUTION, PROCESSING, Batch, table
from bodies import DATA, ROW
from container import MODEL, environment, job, put_rows
from fakes import BUCKET
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import artifact, protocol, serving, spec
from paved_runtime.__main__ import main
from paved_runtime.artifact import ArtifactError
from paved_runtime.batch.errors import BatchError
from paved_runtime.evaluate import evaluate
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.media_types import CSV, JSON
from paved_runtime.prepare import prepare
from paved_runtime.spec import Behaviour
from paved_runtime.train import train

BAD = ROW | {"age": "x"}
REASON = "column 'age': expected an integer between 18 and 120, found 'x'"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def archive(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen model, as its package has it."""
    file = tmp_path_factory.mktemp("archive") / "model.tar.gz"
    artifact.pack(trained / "model", file)
    return file


@pytest.fixture
def batch(archive: Path, invocations: Invocations, tmp_path: Path) -> Batch:
    return Batch.of(archive, MODEL, invocations, tmp_path)


def asked(invocations: Invocations, rows: list[Json]) -> list[Any]:
    """What the endpoint answers to rows."""
    reply = invocations.reply(JSON, json.dumps({"instances": rows}).encode())
    return protocol.scores(json.loads(reply.body))


def test_every_row_comes_back_with_the_endpoints_score(batch: Batch) -> None:
    rows = [ROW | {"id": f"c{number:03}", "age": 20 + number, "duration": f"0{number}"} for number in range(30)]
    batch.put("a.csv", table(rows[:20]))
    batch.put("sub/b.csv", "\ufeff" + table(rows[20:]) + "\n")
    manifest = batch.run()
    scored = [*batch.rows("a.csv"), *batch.rows("sub/b.csv")]

    assert [float(row["score"]) for row in scored] == asked(batch.invocations, [{name: row[name] for name in DATA.columns} for row in rows])
    assert list(scored[0]) == ["id", "duration", "score", "error", "model_version"]
    assert [(row["id"], row["duration"], row["error"]) for row in scored] == [(row["id"], row["duration"], "") for row in rows]
    assert {row["model_version"] for row in scored} == {batch.invocations.version}
    assert (manifest["rows"], manifest["scored"], manifest["failed"]) == (30, 30, 0)
    assert sorted(file.name for file in batch.results.iterdir()) == ["a.csv", "manifest.json", "sub"]


def test_the_manifest_says_what_was_scored_by_what(batch: Batch) -> None:
    content = table([ROW | {"id": "1"}])
    batch.put("a.csv", content)
    manifest = batch.run()
    digest = hashlib.sha256(content.encode()).hexdigest()
    result = (batch.results / "a.csv").read_bytes()

    assert manifest.pop("began") <= manifest.pop("ended")
    assert manifest == {
        "format": 1,
        "model": MODEL,
        "model_version": batch.invocations.version,
        "model_sha256": batch.invocations.sha256,
        "model_package_arn": "arn:aws:sagemaker:eu-central-1:123456789012:model-package/scores/3",
        "image_uri": "registry/image@sha256:89",
        "execution": EXECUTION,
        "input": {
            "uri": f"s3://{BUCKET}/input/today",
            "sha256": hashlib.sha256(f"{digest}  a.csv\n".encode()).hexdigest(),
            "files": [{"name": "a.csv", "rows": 1, "bytes": len(content.encode()), "sha256": digest}],
        },
        "output": {
            "uri": f"s3://{BUCKET}/runs/a1b2c3d4e5f6/results",
            "files": [{"name": "a.csv", "rows": 1, "bytes": len(result), "sha256": hashlib.sha256(result).hexdigest()}],
        },
        "rows": 1,
        "scored": 1,
        "failed": 0,
        "captured": 1,
    }


def test_what_is_wrong_with_a_row_is_its_own(batch: Batch) -> None:
    good, bad = table([ROW | {"id": "1"}]), table([BAD | {"id": "2"}]).splitlines()[1]
    batch.put("a.csv", f"{good}{bad}\r\n1,2\r\n{','.join('9' * 40)}\r\n{good.splitlines()[1]}\r\n")
    manifest = batch.run()
    scored = batch.rows("a.csv")

    assert (manifest["scored"], manifest["failed"]) == (2, 3)
    assert [bool(row["score"]) for row in scored] == [True, False, False, False, True]
    assert scored[1] | {"model_version": ""} == {"id": "2", "score": "", "error": REASON, "model_version": ""}
    assert scored[2]["error"].startswith(f"expected {len(ROW) + 1} cells ('age,job,")
    assert scored[2]["error"].endswith(", found 2")
    assert batch.rows("failures.csv")[0] == {"file": "a.csv", "row": "2", "error": REASON}
    assert [row["row"] for row in batch.rows("failures.csv")] == ["2", "3", "4"]


def test_too_many_rows_without_a_score_fail_the_job_behind_its_results(batch: Batch) -> None:
    batch.put("a.csv", table([BAD, ROW, ROW, ROW]))
    with pytest.raises(BatchError) as failed:
        batch.run(MAXIMUM_FAILED="0.2", OUTPUT_URI="s3://theirs/scores/")

    places = ("theirs/scores", f"{BUCKET}/runs/a1b2c3d4e5f6/results")
    reason = f"1 of 4 rows have no score, 25 %; accepted are 20 %; the first is a.csv, row 1: {REASON}"
    assert str(failed.value) == f"{reason}: see s3://theirs/scores/failures.csv"
    assert list(batch.s3.objects) == [f"{place}/{name}" for place in places for name in ("a.csv", "failures.csv", "manifest.json")]
    assert batch.s3.objects["theirs/scores/a.csv"] == (batch.results / "a.csv").read_bytes()


def test_as_many_as_are_accepted_do_not(batch: Batch) -> None:
    batch.put("a.csv", table([BAD, ROW, ROW, ROW]))

    assert batch.run(MAXIMUM_FAILED="0.25")["failed"] == 1
    assert batch.s3.objects == {}


def test_results_go_where_they_are_wanted(batch: Batch) -> None:
    batch.put("sub/a.csv", table([ROW]))
    manifest = batch.run(OUTPUT_URI="s3://theirs")

    assert list(batch.s3.objects) == ["theirs/sub/a.csv", "theirs/manifest.json"]
    assert manifest["output"]["uri"] == "s3://theirs"


def test_json_lines_keep_what_they_have(batch: Batch) -> None:
    keys = {"id": 12345678901234567890, "note": {"a": [1.10, None]}, "é": "ü\U0001f600"}
    lines = [
        json.dumps(ROW | keys, ensure_ascii=False),
        "",
        json.dumps(list(ROW.values())),
        json.dumps(BAD),
        "{",
        "7",
        '{"age": 1, "age": 2}',
        json.dumps({"id": "x"}),
        '{"age": 01}',
    ]
    batch.put("a.jsonl", "\n".join(lines))
    batch.run()
    written = (batch.results / "a.jsonl").read_text(encoding="utf-8").splitlines()
    scored = [json.loads(line) for line in written]

    assert [row["score"] is not None for row in scored] == [True, True, *[False] * 6]
    assert scored[0]["score"] == scored[1]["score"] == asked(batch.invocations, [ROW])[0]
    assert {name: scored[0][name] for name in keys} == keys
    assert list(scored[0]) == [*keys, "score", "error", "model_version"]
    assert "[1.1,null]" in written[0].replace(" ", "")
    assert [row["error"] for row in scored[2:5]] == [REASON, scored[3]["error"], scored[4]["error"]]
    assert scored[3]["error"].startswith("not JSON: ")
    assert scored[4]["error"] == "expected an object or a list with a value for each column, found 7"
    assert scored[5]["error"] == "column 'age': expected one value, found several"
    assert scored[6]["error"] == "column 'age': expected an integer between 18 and 120, found nothing"
    assert scored[6]["id"] == "x"


HEADER = ",".join(DATA.columns)
CLASH = ", which the results have a column of their own for: rename it"
LONG = r"^b.jsonl: row 2: longer than a request may be: raise payload_mb of the batch table in model.toml$"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", "", "a.csv: expected a header in the first line, found none"),
        ("a.csv", HEADER.replace(",", ";"), "a.csv: line 1: expected CSV with commas, found semicolons in the header"),
        ("a.csv", HEADER.replace("age", "Age"), f"a.csv: line 1: expected columns {HEADER.replace(',', ', ')}, found no column 'age'"),
        ("a.csv", f"{HEADER},age", "a.csv: line 1: expected column 'age' once, found it 2 times"),
        ("a.csv", f"{HEADER},id,id", "a.csv: line 1: expected column 'id' once, found it 2 times"),
        (
            "a.csv",
            f"{HEADER},score",
            f"a.csv: line 1: expected no column 'score'{CLASH}",
        ),
        ("a.csv", f"{HEADER}\n".encode() + b"1,\xe9\n", "a.csv: line 2: expected text in UTF-8, found the byte 0xe9"),
        ("a.csv", HEADER.encode("utf-16"), "a.csv: line 1: expected text in UTF-8, found the byte 0xff"),
        ("a.csv", f'{HEADER}\n"a"b\n', "a.csv: line 2: expected CSV, found ',' expected after '\"'"),
        ("a.jsonl", b"\xff\n", "a.jsonl: line 1: expected text in UTF-8, found the byte 0xff"),
        ("a.jsonl", '{}\n{"score": 1}', f"a.jsonl: line 2: expected no column 'score'{CLASH}"),
        ("a.xlsx", "PK", "a.xlsx: expected a file called *.csv, *.jsonl, *.parquet"),
        ("failures.csv", HEADER, "failures.csv: the results have a file of that name: rename it"),
    ],
)
def test_a_file_that_is_no_table_of_the_model_is_refused_by_its_line(batch: Batch, name: str, content: str | bytes, line: str) -> None:
    batch.put(name, content)
    batch.put("z.csv", "id")

    with pytest.raises(BatchError) as refused:
        batch.prepare()
    assert refused.value.problems[0].startswith(line)
    assert refused.value.problems[1].startswith("z.csv: line 1: ")
    assert "\n" not in str(refused.value)


def test_a_row_that_no_request_may_hold_is_said(batch: Batch) -> None:
    batch.put("a.csv", table([ROW | {"note": "short"}, ROW | {"note": "x" * 100_000}] * 5 + [ROW | {"note": "é" * 131_000}] * 2))
    batch.put("b.jsonl", json.dumps(ROW) + "\n" + json.dumps(ROW | {"note": "x" * 1_000_000}))

    with pytest.raises(BatchError, match=LONG):
        batch.prepare()


@pytest.mark.parametrize("names", [[], ["_SUCCESS", ".part.crc", "_temporary/a.csv"]])
def test_no_rows_are_no_batch(batch: Batch, names: list[str]) -> None:
    for name in names:
        batch.put(name, "x")
    with pytest.raises(BatchError, match=r"^s3://\S+ has no file: expected \*\.csv, \*\.jsonl, \*\.parquet with rows$"):
        batch.prepare()

    batch.put("a.csv", HEADER)
    with pytest.raises(BatchError, match="has 1 files without rows"):
        batch.prepare()


def test_a_file_without_rows_beside_others_has_results_without_rows(batch: Batch) -> None:
    batch.put("a.csv", f"id,{HEADER}\n")
    batch.put("b.csv", table([ROW]))

    assert batch.run()["rows"] == 1
    assert (batch.results / "a.csv").read_text() == "id,score,error,model_version\n"


def many(batch: Batch) -> Json:
    """A batch in three parts, whose last job is about to begin."""
    batch.put("a.csv", table([ROW | {"note": "x" * 20_000}] * 500))
    prepared = batch.prepare()
    batch.transform(100)
    batch.hand_over()
    assert len(prepared["parts"]) == 3
    return prepared


def without_a_part(scored: Path) -> None:
    (scored / "part-00001.jsonl.out").unlink()


def killed(scored: Path) -> None:
    file = scored / "part-00000.jsonl.out"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:10]))


def cut(scored: Path) -> None:
    file = scored / "part-00000.jsonl.out"
    file.write_bytes(file.read_bytes()[:-10])


def with_a_line_twice(scored: Path) -> None:
    file = scored / "part-00000.jsonl.out"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:3], *lines[2:]]))


def with_a_line_less(scored: Path) -> None:
    file = scored / "part-00000.jsonl.out"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:3], *lines[5:]]))


def with_a_line_more(scored: Path) -> None:
    file = scored / "part-00002.jsonl.out"
    file.write_text(file.read_text() + file.read_text().splitlines(keepends=True)[-1])


def with_another_part(scored: Path) -> None:
    (scored / "part-00003.jsonl.out").write_text("")


def of_another_server(scored: Path) -> None:
    file = scored / "part-00000.jsonl.out"
    file.write_text(file.read_text().replace('"score"', '"prediction"'))


def of_another_batch(scored: Path) -> None:
    file = scored.parent / "parts/part-00001.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (without_a_part, r"^part-00001.jsonl.out is missing: rows (\d+) to (\d+) have no answer$"),
        (killed, r"^part-00000.jsonl.out: rows 10 to \d+ have no answer$"),
        (cut, r"^part-00000.jsonl.out has a line that is none of this batch: Input data was truncated$"),
        (with_a_line_twice, r"^part-00000.jsonl.out: row 2 is there twice, or in another place than row 3$"),
        (with_a_line_less, r"^part-00000.jsonl.out: rows 3 to 4 have no answer$"),
        (with_a_line_more, r"^part-00002.jsonl is another than the one that was prepared: expected rows \d+ to 499 in it$"),
        (with_another_part, r"^part-00003.jsonl.out is of no part of this batch$"),
        (of_another_server, r"^row 0: expected an answer of this model, found another: was the server told that it is a batch\?$"),
        (of_another_batch, r"^part-00001.jsonl is another than the one that was prepared: "),
    ],
)
def test_a_transform_job_that_left_not_every_row_once_is_refused_by_name(batch: Batch, change: Callable[[Path], None], line: str) -> None:
    many(batch)
    change(batch.root / "collect" / PROCESSING / "scored")

    with pytest.raises(BatchError, match=line):
        batch.collect()
    assert not (batch.results / "manifest.json").exists()


def test_another_model_than_the_deployed_one_is_refused(batch: Batch) -> None:
    batch.put("a.csv", table([ROW]))
    with pytest.raises(ArtifactError, match=f"the model has sha256 {batch.invocations.sha256}, this batch is of 01: find out by whom"):
        batch.prepare(MODEL_SHA256="01")

    batch.prepare()
    batch.transform()
    batch.hand_over()
    with pytest.raises(ArtifactError, match=f"the model is version {batch.invocations.version}, not 0123456789ab: start the batch anew"):
        batch.collect(MODEL_VERSION="0123456789ab")


@pytest.mark.parametrize("value", ["", "0", "x", "-1", "1.5"])
def test_a_payload_that_is_none(batch: Batch, value: str) -> None:
    with pytest.raises(ValueError, match="PAYLOAD_MB: expected a number of megabytes above 0, found"):
        batch.prepare(PAYLOAD_MB=value)


@pytest.mark.parametrize("value", ["x", "1.1", "-0.1", "nan"])
def test_a_share_that_is_none(batch: Batch, value: str) -> None:
    batch.put("a.csv", table([ROW]))
    with pytest.raises(ValueError, match="MAXIMUM_FAILED: expected a share of rows from 0 to 1, found"):
        batch.run(MAXIMUM_FAILED=value)


@pytest.mark.parametrize("name", ["MODEL_VERSION", "EXECUTION", "INPUT_URI", "RESULTS_URI", "MAXIMUM_FAILED"])
def test_a_variable_that_is_not_set_is_named(batch: Batch, name: str) -> None:
    with pytest.raises(ValueError, match=f"the environment variable {name} is not set"):
        batch.collect(**{name: ""})


def test_a_job_leaves_its_reason(batch: Batch) -> None:
    batch.put("a.csv", "id")

    assert main(["batch-prepare"], {**batch.job("prepare").environ}) == 1
    assert (batch.root / "prepare/output/message").read_text().startswith("batch-prepare: a.csv: line 1: expected columns age, job")


def test_the_monitors_lines_are_those_of_data_capture(batch: Batch) -> None:
    batch.put("a.csv", table([ROW | {"id": "c7"}, BAD | {"id": ""}]))
    batch.put("b.jsonl", json.dumps(ROW | {"id": 8}) + "\n" + json.dumps(ROW | {"id": None}))
    batch.run()
    lines = list(batch.captured)
    (file,) = (batch.root / "collect/processing/captured").rglob("*.jsonl")
    folder, time = file.parent.as_posix(), lines[0]["eventMetadata"]["inferenceTime"]

    assert file.name == "batch-a1b2c3d4e5f6-0.jsonl"
    assert folder.endswith(f"captured/{batch.invocations.version}/scores-production/AllTraffic/{time[:10].replace('-', '/')}/{time[11:13]}")
    assert [line["eventMetadata"]["inferenceId"] for line in lines] == ["c7", "a1b2c3d4e5f6-1", "8", "a1b2c3d4e5f6-3"]
    assert json.loads(lines[0]["captureData"]["endpointInput"]["data"]) == ROW
    assert json.loads(lines[0]["captureData"]["endpointOutput"]["data"]) == json.loads(
        batch.invocations.reply(JSON, json.dumps(ROW).encode()).body
    )
    assert json.loads(lines[1]["captureData"]["endpointOutput"]["data"]) == {"error": REASON}


def test_nothing_is_captured_where_the_environment_captures_nothing(batch: Batch) -> None:
    batch.put("a.csv", table([ROW]))

    assert batch.run(ENDPOINT_NAME="")["captured"] == 0
    assert list(batch.captured) == []


cells = st.sampled_from(
    ["", "20", "x", "020", "+20", "20.0", "2e1", ".5", "NaN", "yes", " 20", "1e999", "null", "true", 'a"b', "é", "\ud7ff"]
)
rows = st.fixed_dictionaries({name: st.just(str(value)) | cells for name, value in ROW.items()} | {"id": st.text('ab,"\n é', max_size=4)})
usual = st.just({name: str(value) for name, value in ROW.items()} | {"id": "1"})
tables = st.lists(usual | rows, min_size=1, max_size=12)


@given(files=st.dictionaries(st.sampled_from(["a.csv", "b/c.csv", "d.csv", "e.jsonl"]), tables, min_size=1), records=st.integers(1, 9))
def test_any_files_and_rows_come_back_once_in_order_whatever_is_wrong_with_single_ones(
    archive: Path, invocations: Invocations, files: dict[str, list[dict[str, str]]], records: int
) -> None:
    with TemporaryDirectory() as folder:
        batch = Batch.of(archive, MODEL, invocations, Path(folder))
        for name, table_rows in files.items():
            lines = "".join(json.dumps(row) + "\n" for row in table_rows)
            batch.put(name, lines if name.endswith("jsonl") else table(table_rows))
        batch.prepare()
        batch.transform(records)
        batch.hand_over()
        batch.collect()
        for name, table_rows in files.items():
            if name.endswith("jsonl"):
                scored = [json.loads(line) for line in (batch.results / name).read_text().splitlines()]
                answers = [invocations.reply(JSON, json.dumps({n: row[n] for n in DATA.columns}).encode()) for row in table_rows]
            else:
                scored = [row | {"score": row["score"] and float(row["score"])} for row in batch.rows(name)]
                answers = [invocations.reply(CSV, table([{n: row[n] for n in DATA.columns}]).encode(), JSON) for row in table_rows]
            assert [row["id"] for row in scored] == [row["id"] for row in table_rows]
            assert [row["error"] for row in scored] == [
                "" if answer.status == 200 else json.loads(answer.body)["error"].removeprefix("row 1, ") for answer in answers
            ]
            assert [row["score"] for row in scored if row["score"]] == [
                json.loads(answer.body)["predictions"][0]["score"] for answer in answers if answer.status == 200
            ]


@pytest.fixture(scope="module", params=list(task_rows.MODELS))
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """A batch of a model of each other task."""
    name = task_rows.MODELS[request.param]
    known = spec.load(name)
    quick = known.model_copy(update={"gates": known.gates.model_copy(update={"behaviour": Behaviour()})})
    root = tmp_path_factory.mktemp(name)
    put_rows(root, task_rows.made(request.param, 1500))
    for step in (prepare, train, evaluate):
        step(job(root, quick))
    invocations = serving.load(Job.of(environment(root, MODEL=name)))
    artifact.pack(root / "model", root / "model.tar.gz")
    return Batch.of(root / "model.tar.gz", name, invocations, tmp_path_factory.mktemp("batch"))


def test_models_of_other_tasks_have_their_own_columns(other: Batch) -> None:
    task = next(task for task, name in task_rows.MODELS.items() if name == other.name)
    rows = [*task_rows.made(task, 20, seed=5), task_rows.made(task, 1)[0] | {"years": "61"}]
    other.put("a.csv", table(rows))
    other.put("b.jsonl", json.dumps({"income": 32_000.5, "debt": None, "years": 7, "region": "south"}))
    other.run()
    scored, line = other.rows("a.csv"), json.loads((other.results / "b.jsonl").read_text())
    target = "grade" if task == "multiclass" else "amount"
    body = table([{name: cell for name, cell in row.items() if name != target} for row in rows[:20]])
    answers = json.loads(other.invocations.reply(CSV, body.encode(), JSON).body)["predictions"]

    assert [row[target] for row in scored] == [row[target] for row in rows]
    assert scored[-1]["error"] == "column 'years': expected an integer between 0 and 60, found '61'"
    if task == "multiclass":
        assert list(scored[0]) == ["grade", "class", *task_rows.CLASSES, "error", "model_version"]
        assert [row["class"] for row in scored] == [*(answer["class"] for answer in answers), ""]
        assert [{name: float(row[name]) for name in task_rows.CLASSES} for row in scored[:20]] == [answer["scores"] for answer in answers]
        assert sum(line[name] for name in task_rows.CLASSES) == pytest.approx(1, abs=1e-5)
    else:
        assert [row["score"] for row in scored] == [*(repr(answer["score"]) for answer in answers), ""]
        assert line["score"] > 0
