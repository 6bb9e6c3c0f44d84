"""What a model looks up is in everything that preparation hands on, and a champion scores with it. Joins have tests of their own."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from container import MODEL, job

from paved_runtime import artifact, as_of, contract, looked_up_rows, spec
from paved_runtime.as_of import FeatureError
from paved_runtime.holdout import CHAMPION
from paved_runtime.invocations import Invocations
from paved_runtime.job import Job
from paved_runtime.looked_up_rows import Stored
from paved_runtime.prepare import prepare
from paved_runtime.score import score
from paved_runtime.spec import Lookup

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/lead-scoring/7"
PLAIN = spec.load(MODEL)
LOOKUPS = {"accounts": Lookup(key="client", columns=("balance",))}
SPEC = PLAIN.model_copy(update={"data": PLAIN.data.model_copy(update={"time": "asked"}), "features": LOOKUPS})
ENVIRONMENT = {
    "FEATURES": json.dumps({"accounts": {"feature_group_name": "road-accounts", "identifier": "id", "event_time": "as_of"}}),
    "FEATURES_UNTIL": "2026-11-30T10:00:00Z",
}
Row = dict[str, str]


@pytest.fixture(scope="module")
def rows(data: Path) -> list[Row]:
    with data.open(newline="") as stream:
        return list(csv.DictReader(stream))


def put(folder: Path, rows: Sequence[Row]) -> None:
    """A data set that has clients in place of their balances."""
    folder.mkdir(parents=True)
    with (folder / "data.csv").open("w", newline="") as stream:
        names = ["client", "asked", *(name for name in rows[0] if name != "balance")]
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"client": f"c{number}", "asked": "2026-11-01"} for number, row in enumerate(rows))


def stored(rows: Sequence[Row]) -> Stored:
    """Rows as they come from a store that has the balance of each client."""
    balances = {f"c{number}": row["balance"] for number, row in enumerate(rows)}

    def join(source: Path, time: str, lookups: Sequence[as_of.Lookup], target: Path) -> list[int]:
        (lookup,) = lookups
        assert (time, lookup.key, lookup.columns) == ("asked", "client", ("balance",))
        with source.open(newline="") as given, target.open("w", newline="") as made:
            reader = csv.DictReader(given)
            writer = csv.DictWriter(made, [*(reader.fieldnames or ()), "balance"])
            writer.writeheader()
            joined = [row | {"balance": balances[row["client"]]} for row in reader]
            writer.writerows(joined)
        return [len(joined)]

    def known(_: as_of.Lookup) -> as_of.Known:
        return as_of.Known(records=len(balances), newest_event=None, ingestions={})

    return partial(looked_up_rows.of, join=join, known=known)


def refused(_: Path, __: str, lookups: Sequence[as_of.Lookup], ___: Path) -> list[int]:
    raise FeatureError(f"feature group {lookups[0].group} has no records")


def training(root: Path, rows: Sequence[Row]) -> Job:
    put(root / "input/data/data", rows)
    (root / "input/data/features_accounts").mkdir()
    return replace(job(root, SPEC), environ=ENVIRONMENT, origin={})


def test_what_is_looked_up_is_handed_on_and_told(tmp_path: Path, rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    prepare(training(tmp_path, rows), stored(rows))

    summary: dict[str, Any] = artifact.read_json(tmp_path / "work/train" / artifact.DATA)
    assert summary["features"]["accounts"]["rows"] == {"with_record": len(rows), "without_record": 0}
    assert summary["columns"].keys() == SPEC.data.columns.keys()
    assert summary["digested"] == [sorted({"client", "asked", *rows[0]} - {"balance"})]
    balances: list[str] = []
    for part in ("train/train.csv", "holdout/holdout.csv"):
        with (tmp_path / "work" / part).open(newline="") as stream:
            reader = csv.DictReader(stream)
            assert "client" not in (reader.fieldnames or ())
            balances += [row["balance"] for row in reader]
    assert sorted(map(float, balances)) == sorted(float(row["balance"]) for row in rows)
    assert f"feature group accounts: {len(rows)} rows have a record, 0 have none\n" in capsys.readouterr().out


def test_the_digest_that_was_stored_is_of_the_files_without_features(tmp_path: Path, rows: list[Row]) -> None:
    run = training(tmp_path, rows)
    due = contract.sha256(run.data)

    prepare(replace(run, origin={"data_sha256": due}), stored(rows))

    assert artifact.read_json(tmp_path / "work/train" / artifact.DATA)["sha256"] == due


@pytest.fixture
def champion(trained: Path, tmp_path: Path, rows: list[Row]) -> Job:
    """A champion that looks balances up, and a newer data set."""
    inputs = tmp_path / "processing/input"
    artifact.pack(trained / "model", inputs / "model/model.tar.gz")
    put(inputs / "data", rows)
    (inputs / "features_accounts").mkdir()
    return replace(job(tmp_path, SPEC), environ=ENVIRONMENT, model_package_arn=ARN)


def test_a_champion_scores_with_what_it_looks_up(champion: Job, rows: list[Row], data: Path, invocations: Invocations) -> None:
    score(champion, stored(rows))

    said = artifact.read_json(champion.root / "processing/champion" / CHAMPION)
    assert said["scores"] == invocations.scores(contract.read(data.parent, PLAIN.data).table).tolist()
    assert said["data_sha256"] == contract.sha256(champion.data)


def test_a_champion_that_cannot_look_up_has_no_score_and_says_why(champion: Job, rows: list[Row]) -> None:
    score(champion, partial(looked_up_rows.of, join=refused))

    said = artifact.read_json(champion.root / "processing/champion" / CHAMPION)
    assert (said["scores"], said["data_sha256"]) == ([None] * len(rows), contract.sha256(champion.data))
    assert said["reason"] == "the data set is none in which the champion can look up features of accounts"
