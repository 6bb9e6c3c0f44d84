"""What a person hands in and gets back, and what scored a file that somebody asks about."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from cli import batches as command
from cli import scored_rows
from cli.problem import Problem
from paved_runtime.spec import Batch
from pipelines.deployment.batches import Run
from tests.support.sample import ARN
from tests.support.scored_files import RUN, manifest, scoring
from tests.support.target import FakeTarget

TABLE = Batch(instance_type="ml.m5.large", input="s3://rows/leads", output="s3://rows/scores")
Json = dict[str, Any]


def shown(view: RenderableType) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def rows(text: str, path: Path = Path("nowhere")) -> str:
    return command.rows(scoring(dict)[0], TABLE, text, path)


@pytest.mark.parametrize("uri", ["s3://rows/leads", "s3://rows/leads/", "s3://rows/leads/today.csv", "s3://batches/input/1/"])
def test_rows_may_lie_where_batches_may_read(uri: str) -> None:
    assert rows(uri) == uri


@pytest.mark.parametrize("uri", ["s3://rows", "s3://rows/leads-of-others/a.csv", "s3://elsewhere/leads/"])
def test_and_nowhere_else(uri: str) -> None:
    with pytest.raises(Problem, match=r"--input .*: batches may not go there; accepted is below s3://batches/ or s3://rows/leads/"):
        rows(uri)


def test_results_may_go_where_batches_may_write_and_else_stay_in_their_run() -> None:
    assert command.target_of(TABLE, "s3://rows/scores/today") == "s3://rows/scores/today"
    assert [command.target_of(TABLE, text) for text in (None, "here")] == ["", ""]
    with pytest.raises(Problem, match=r"accepted is below none: model\.toml has no serving\.<environment>\.batch\.output"):
        command.target_of(Batch(instance_type="ml.m5.large"), "s3://rows/scores")


def test_a_folder_is_all_its_files_of_rows(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.CSV", "notes.txt"):
        (tmp_path / name).write_text("{}")
    scene, _ = scoring(dict)
    uri = command.rows(scene, TABLE, "folder", tmp_path)

    assert uri == scene.put([tmp_path / "b.jsonl", tmp_path / "a.CSV"])


@pytest.mark.parametrize(("name", "why"), [("missing.csv", "there is no such file"), ("notes.txt", "no file of"), (".", "no file of")])
def test_what_has_no_rows_is_named(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "notes.txt").write_text("")

    with pytest.raises(Problem, match=why):
        rows(name, tmp_path / name)


def test_a_run_is_followed_to_its_end_and_its_results_are_brought(tmp_path: Path) -> None:
    scene, _ = scoring(lambda row: {"score": row["age"]}, statuses=("Executing", "Executing", "Succeeded"))
    (tmp_path / "a.jsonl").write_text('{"age": 30}\n')
    arn = scene.start(scene.put([tmp_path / "a.jsonl"]))
    run = command.follow(FakeTarget(), scene, arn)
    scored = command.bring(scene, run, tmp_path / "results")

    assert (tmp_path / "results" / "a.jsonl").read_text() == '{"score": 30}\n'
    assert scored.as_dict()["manifest"] == "s3://batches/runs/run1/results/manifest.json"
    assert "2: 2 scored, 0 without a score" in shown(scored.view())


def test_one_that_fails_says_why_and_how_it_goes_on() -> None:
    scene, _ = scoring(dict, statuses=("Executing", "Failed"), why="leads.csv: no header")

    with pytest.raises(Problem, match=r"batch run1: step Prepare: leads.csv: no header: correct that, then --resume run1"):
        command.follow(FakeTarget(), scene, RUN)


def test_one_without_a_manifest_is_not_taken_for_a_good_one() -> None:
    with pytest.raises(Problem, match=r"has no manifest.json"):
        command.bring(scoring(dict)[0], Run(arn=RUN, status="Succeeded"), None)


def test_a_run_that_cannot_go_on_is_a_wrong_argument() -> None:
    with pytest.raises(Problem, match="is Succeeded: only one that failed"):
        command.again(scoring(dict, statuses=("Succeeded",))[0], "run1")


def test_the_newest_runs_are_listed_with_what_they_scored() -> None:
    scene, _ = scoring(dict, statuses=("Succeeded",))
    assert "no batch has run yet" in shown(command.view([]))
    assert command.recent(scene)[0]["rows"] is None
    scene.start("s3://batches/input/1/")
    (run,) = command.recent(scene)

    assert (run["execution"], run["status"], run["rows"], run["failed"]) == ("run1", "Succeeded", 2, 0)
    assert "2026-11-30 02:00" in shown(command.view([run]))


def test_what_scored_a_file_is_told_by_its_rows_and_by_its_results(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text("age\n30\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    listed = {"uri": "s3://b/", "files": [{"name": file.name, "rows": 1, "bytes": 7, "sha256": digest}]}
    told = [manifest(execution=f"{RUN}1"), manifest(execution=f"{RUN}2", input=listed), manifest(execution=f"{RUN}3", output=listed)]

    assert [each.execution for each in scored_rows.look(told, {f"{ARN}/3"}, file)] == ["run12", "run13"]
    assert len(scored_rows.look(told, {f"{ARN}/3"}, None)) == 3
    with pytest.raises(Problem, match="no batch that is kept has scored or written it"):
        scored_rows.look(told[:1], (), file)
    with pytest.raises(Problem, match="there is no such file"):
        scored_rows.look(told, (), tmp_path / "none.csv")


def test_batches_are_read_newest_first_with_their_version() -> None:
    told = [manifest(began="2026-11-29T02:00:00Z", execution=f"{RUN}1"), manifest(execution=f"{RUN}2")]
    found = scored_rows.look(told, {f"{ARN}/3"}, None)

    assert [each.execution for each in found] == ["run12", "run11"]
    assert "3 (0123456789ab)" in shown(scored_rows.view(found))
    assert "no batch is kept" in shown(scored_rows.view([]))


@pytest.mark.parametrize(
    ("arn", "doubt"), [(f"{ARN}/3", ""), (f"{ARN}/4", "version 4, which the ledger does not know"), ("none", "no version")]
)
def test_a_version_that_the_ledger_does_not_know_is_a_doubt(arn: str, doubt: str) -> None:
    (found,) = scored_rows.look([manifest(model_package_arn=arn)], {f"{ARN}/3"}, None)

    assert doubt in found.doubt
    assert bool(doubt) == bool(found.doubt)
