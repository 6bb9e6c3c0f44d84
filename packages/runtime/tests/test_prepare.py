"""What preparation hands on: the parts, their profile, the champion's scores in step with the rows; of refused data, the whole list."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from container import MODEL, environment, job, put_rows

from paved_runtime import artifact, contract, spec, split, tasks
from paved_runtime.__main__ import main
from paved_runtime.artifact import ArtifactError
from paved_runtime.contract import ContractError
from paved_runtime.holdout import CHAMPION
from paved_runtime.prepare import VIOLATIONS, prepare
from paved_runtime.spec import ModelSpec
from paved_runtime.training_rows import TrainingRows

SPEC = spec.load(MODEL)
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/lead-scoring/7"
Row = dict[str, str]


def champion(root: Path, **content: object) -> None:
    file = root / "input/data/champion" / CHAMPION
    artifact.write_json(
        file, {"version": 1, "model_package_arn": ARN, "commit": "c", "refused": 0, "reason": "", "profile": None, **content}
    )


@pytest.fixture(scope="module")
def rows(data: Path) -> list[Row]:
    with data.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def summary(trained: Path) -> dict[str, Any]:
    content: dict[str, Any] = artifact.read_json(trained / "model" / artifact.DATA)
    return content


def refused(root: Path, rows: list[Row], model: ModelSpec = SPEC) -> ContractError:
    put_rows(root, rows)
    with pytest.raises(ContractError) as caught:
        prepare(job(root, model))
    assert not (root / "work").exists()
    listed = artifact.read_json(root / "output/data" / VIOLATIONS)
    assert [(v["column"], v["rule"], v["found"], v["rows"]) for v in listed] == [
        (v.column, v.rule, v.found, list(v.rows)) for v in caught.value.violations
    ]
    assert all(v["advice"] in str(caught.value) for v in listed)
    return caught.value


def test_the_profile_is_of_the_training_rows(summary: dict[str, Any]) -> None:
    described = {"version", "sha256", "rows", "positive_share", "duplicates", "digested", "split", "columns", "checks", "change"}
    assert set(summary) == described
    assert (summary["version"], summary["rows"], summary["duplicates"], summary["change"]) == (1, 3200, 0, None)
    assert list(summary["columns"]) == list(SPEC.column_names)
    assert summary["digested"] == [sorted([*SPEC.column_names, *SPEC.data.exclude, SPEC.data.target])]
    assert {sum(column["counts"].values()) for column in summary["columns"].values() if column["type"] == "category"} == {3200}
    assert {sum(column["counts"]) for column in summary["columns"].values() if column["type"] == "number"} == {3200}


def test_every_check_is_listed_passed_as_it_is(summary: dict[str, Any]) -> None:
    checks = {(check["column"], check["rule"]): check for check in summary["checks"]}

    assert len(checks) == len(summary["checks"])
    assert all(check["passed"] and not check["count"] and not check["rows"] for check in checks.values())
    assert {tuple(check) for check in checks.values()} == {("column", "rule", "found", "allowed", "passed", "count", "rows")}
    assert [rule for name, rule in checks if " and " in name] == ["pair leak"]
    for column in SPEC.column_names:
        assert {rule for name, rule in checks if name == column} - {"type", "range", "category"} == {"missing", "constant", "leak"}
    assert {rule for name, rule in checks if name == "y"} == {"target", "outcomes", "label rate"}
    assert {rule for name, rule in checks if not name} == {"columns", "rows", "duplicates"}


def test_violations_of_every_kind_are_collected(tmp_path: Path, rows: list[Row]) -> None:
    """A table with all of them at once: whoever repairs the data need not come back for the next one."""
    champion(
        tmp_path,
        scores=[0.5] * 1000,
        profile={"positive_share": 0.33, "columns": {"loan": {"type": "category", "counts": {"no": 9000}, "missing": 0}}},
    )
    poisoned = [row | {"y": "no" if number % 3 else "yes"} for number, row in enumerate(rows[:900])]
    poisoned = [row | {"balance": "1" if row["y"] == "yes" else "0", "housing": "no", "contact": ""} for row in poisoned]
    poisoned = [row | {"colour": "red"} for row in poisoned + poisoned[:50]]
    poisoned[3] |= {"age": "x"}
    poisoned[4] |= {"age": "17"}
    columns = SPEC.data.columns | {"contact": SPEC.data.columns["contact"].model_copy(update={"missing": 0.5})}
    error = refused(tmp_path, poisoned, SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"columns": columns})}))

    assert [(v.column, v.rule) for v in error.violations] == [
        *[("colour", "unexpected"), ("age", "range"), ("age", "type"), ("", "rows"), ("y", "label rate"), ("", "duplicates")],
        *[("housing", "constant"), ("contact", "missing"), ("contact", "constant"), ("balance", "leak"), ("loan", "change")],
    ]
    assert len(error.table().splitlines()) == 1 + len(error.violations)
    assert "\n" not in str(error)


def test_without_a_column_the_others_are_judged_all_the_same(tmp_path: Path, rows: list[Row]) -> None:
    """But not whether rows are repeated: they look more alike than they are."""
    error = refused(tmp_path, [{name: cell for name, cell in row.items() if name != "balance"} | {"loan": "no"} for row in rows])

    assert [(v.column, v.rule) for v in error.violations] == [("balance", "absent"), ("loan", "constant")]


def test_what_cannot_be_read_at_all_is_listed_too(tmp_path: Path, rows: list[Row]) -> None:
    error = refused(tmp_path, [{name: cell for name, cell in row.items() if name != "y"} for row in rows])

    assert [(v.column, v.rule) for v in error.violations] == [("y", "absent")]


def test_a_job_prints_the_table_and_leaves_the_list(tmp_path: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    put_rows(tmp_path, [row | {"default": "no"} for row in rows])
    assert main(["prepare", "train", "evaluate"], environment(tmp_path)) == 1

    line = "column 'default': expected 2 or more values, found 1: repair what fills it, or take default out of data.columns in model.toml"
    assert line in (tmp_path / "output/failure").read_text()
    assert "default  constant  1" in capsys.readouterr().err
    assert [violation["column"] for violation in artifact.read_json(tmp_path / "output/data" / VIOLATIONS)] == ["default"]
    assert not (tmp_path / "model").exists()


def test_the_champions_scores_stay_with_their_rows(tmp_path: Path, rows: list[Row]) -> None:
    """A score that is made of the row itself is beside that row again after the split; what the champion could not score stays unknown."""

    def score(row: Row) -> float | None:
        return None if row["job"] == "unknown" else (int(row["balance"]) % 997) / 1000 + int(row["age"]) / 1e6

    shuffled = random.Random(4).sample(rows, len(rows))  # noqa: S311 - repeatable, not secret
    put_rows(tmp_path, shuffled)
    known = [row["marital"] == "single" for row in shuffled]
    champion(tmp_path, scores=[score(row) for row in shuffled], trained=known, refused=9, reason="why")
    prepare(job(tmp_path, SPEC))
    aligned = artifact.read_json(tmp_path / "work/holdout" / CHAMPION)
    with (tmp_path / "work/holdout/holdout.csv").open(newline="") as stream:
        held = list(csv.DictReader(stream))

    assert aligned["scores"] == [score(row) for row in held]
    assert None in aligned["scores"]
    assert aligned["trained"] == [row["marital"] == "single" for row in held]
    whole = artifact.read_json(tmp_path / "input/data/champion" / CHAMPION)
    assert {**aligned, "scores": [], "trained": []} == {**whole, "scores": [], "trained": []}
    assert len(contract.read(tmp_path / "work/holdout", SPEC.data)) == len(held) == 800


def test_the_digests_that_travel_are_of_the_training_rows(trained: Path, data: Path) -> None:
    reading = contract.inspect(data.parent, SPEC.data)
    train, holdout = split.split(reading.examples, tasks.of(SPEC.data), share=SPEC.data.holdout, seed=SPEC.data.seed)
    known = TrainingRows.load(trained / "model")

    assert known is not None
    assert known.digests.tolist() == sorted(train.digests.tolist())
    assert not set(known.digests.tolist()) & set(holdout.digests.tolist())
    assert (trained / "model/rows.bin").stat().st_size == 8 * 3200


def test_other_bytes_than_those_that_were_stored_are_refused(tmp_path: Path, rows: list[Row]) -> None:
    """Whatever the environment says: what counts is what was read."""
    put_rows(tmp_path, rows)
    file = tmp_path / "input/data/data/data.csv"
    stored = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(file.read_bytes().replace(b",no\r\n", b",no\n", 1))
    read = hashlib.sha256(file.read_bytes()).hexdigest()

    assert main(["prepare", "train"], environment(tmp_path, DATA_SHA256=stored)) == 1
    line = (tmp_path / "output/failure").read_text()
    assert f"expected sha256 {stored}, found sha256 {read}: the object was changed after it was stored" in line
    assert [violation["rule"] for violation in artifact.read_json(tmp_path / "output/data" / VIOLATIONS)] == ["stored"]
    assert not (tmp_path / "model").exists()


def test_the_digest_that_travels_is_of_what_was_read(trained: Path, data: Path) -> None:
    digest = hashlib.sha256(data.read_bytes()).hexdigest()

    for name, key in ((artifact.DATA, "sha256"), (artifact.METADATA, "data_sha256"), (artifact.EVALUATION, "data_sha256")):
        assert artifact.read_json(trained / "model" / name)[key] == digest, name


def test_scores_of_other_bytes_are_refused(tmp_path: Path, rows: list[Row]) -> None:
    """As many rows, and yet another file than the champion has scored."""
    put_rows(tmp_path, rows)
    champion(tmp_path, scores=[0.5] * 4000, data_sha256="ab" * 32)

    with pytest.raises(ArtifactError, match=rf"^champion\.json is of data with sha256 {'ab' * 32}, this job read [0-9a-f]{{64}}: start"):
        prepare(job(tmp_path, SPEC))


@pytest.mark.parametrize("said", [{"scores": [0.5] * 3999}, {"scores": [0.5] * 4000, "trained": [True] * 3999}])
def test_scores_of_another_data_set_are_refused(tmp_path: Path, rows: list[Row], said: dict[str, Any]) -> None:
    put_rows(tmp_path, rows)
    champion(tmp_path, **said)

    with pytest.raises(ArtifactError, match=r"champion\.json has 3999 scores for 4000 rows: the champion has scored another data set"):
        prepare(job(tmp_path, SPEC))


def test_a_champion_that_cannot_read_the_files_has_no_score_of_any_row(tmp_path: Path, rows: list[Row]) -> None:
    put_rows(tmp_path, rows)
    champion(tmp_path, scores=[], reason="why")
    prepare(job(tmp_path, SPEC))
    aligned = artifact.read_json(tmp_path / "work/holdout" / CHAMPION)

    assert (aligned["scores"], aligned["reason"], "trained" in aligned) == ([None] * 800, "why", False)


def test_a_champion_without_a_file_is_no_absent_champion(tmp_path: Path, rows: list[Row]) -> None:
    put_rows(tmp_path, rows)
    (tmp_path / "input/data/champion").mkdir()

    with pytest.raises(ArtifactError, match=r"champion\.json is missing"):
        prepare(job(tmp_path, SPEC))


SHIFTS: dict[str, Callable[[Row], Row]] = {
    "age": lambda row: row | {"age": str(min(int(row["age"]) + 30, 120))},
    "month": lambda row: row | {"month": {"may": "jan", "jan": "may"}.get(row["month"], row["month"])},
}


@pytest.mark.parametrize("column", SHIFTS)
def test_a_change_against_the_champions_data_is_refused(tmp_path: Path, rows: list[Row], summary: dict[str, Any], column: str) -> None:
    profile = {name: summary[name] for name in ("columns", "positive_share")}
    champion(tmp_path, scores=[0.5] * 4000, profile=profile)
    (violation,) = refused(tmp_path, [SHIFTS[column](row) for row in rows]).violations

    assert (violation.column, violation.rule) == (column, "change")
    assert float(violation.found) > SPEC.data.maximum_change


def test_no_change_is_told_as_such(tmp_path: Path, rows: list[Row], summary: dict[str, Any]) -> None:
    put_rows(tmp_path, rows)
    champion(tmp_path, scores=[0.5] * 4000, profile={name: summary[name] for name in ("columns", "positive_share")})
    prepare(job(tmp_path, SPEC))
    again = artifact.read_json(tmp_path / "work/train" / artifact.DATA)

    assert again["change"] == [{"column": name, "psi": pytest.approx(0, abs=1e-9)} for name in [*SPEC.column_names, "y"]]
    assert [check for check in again["checks"] if check["rule"] != "change"] == summary["checks"]
    assert {check["column"] for check in again["checks"] if check["rule"] == "change"} == {*SPEC.column_names, "y"}
