"""`road train` of a model that looks features up: rows with keys are joined as the road joins them, rows with all columns are taken."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.reference import MODEL
from tests.support import borrowed
from tests.support.data_sets import Row, write
from tests.support.road import Road, each, environment, road_in
from tests.support.tree import reference_tree

GROUP, KEY, LOOKED_UP = "activity", "customer", ("balance", "previous")
ROWS, LATE = 1500, 5  # rows whose customer's record came after them
TOML = """description = "What a customer's accounts look like."
owner = "features@example.com"
record_identifier = "customer_id"
event_time = "as_of"
freshness_hours = 48

[features]
balance = "integer"
previous = "integer"
"""
SQL = "SELECT customer AS customer_id, day::DATE AS as_of, balance::BIGINT AS balance, previous::BIGINT AS previous FROM source"
TABLE = f'[features.{GROUP}]\nkey = "{KEY}"\ncolumns = {json.dumps(LOOKED_UP)}\n\n'


@dataclass(frozen=True)
class Desk:
    """A tree with such a model, and the files of who trains it."""

    tree: Path
    files: Path
    libraries: str

    @property
    def road(self) -> Road:
        """Commands that are typed beside the files."""
        typed = road_in(self.tree, self.files / "cloud")
        path = os.pathsep.join([environment(self.tree, self.files)["PYTHONPATH"], self.libraries])
        return lambda *words, **more: typed(*words, **{"ROAD_CWD": str(self.files), "PYTHONPATH": path, **more})

    def trained(self, *words: str) -> dict[str, Any]:
        """What a training came to, whatever its gates say."""
        done = self.road("train", MODEL, "--json", *words)
        assert done.stdout, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        assert "error" not in said, said
        return said


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(
        reference_tree(tmp_path_factory.mktemp("tree")), tmp_path_factory.mktemp("files"), str(tmp_path_factory.mktemp("x") / "libraries")
    )
    borrowed.environment(Path(made.libraries), "duckdb")
    group = made.tree / "feature_groups" / GROUP
    group.mkdir(parents=True)
    (group / "group.toml").write_text(TOML)
    (group / "features.sql").write_text(SQL)
    toml = made.tree / "model_code" / MODEL / "model.toml"
    text = toml.read_text().replace("holdout = 0.2 ", 'time = "decided"\nholdout = 0.2 ').replace("rounds = 1000 ", "rounds = 20 ")
    for column in LOOKED_UP:
        text = "\n".join(line.replace(" }", ", missing = 0.1 }") if line.startswith(f"{column} ") else line for line in text.splitlines())
    toml.write_text(text.replace("[gates]\n", f"{TABLE}[gates]\n", 1))
    _files(made)
    return made


def _files(desk: Desk) -> None:
    made_up = desk.files / "made-up.csv"
    program = desk.tree / "model_code" / MODEL / "synthetic.py"
    subprocess.run([sys.executable, str(program), "--rows", str(ROWS), "--seed", "7", "--out", str(made_up)], check=True)
    with made_up.open(newline="") as stream:
        known: list[Row] = [dict(row) for row in csv.DictReader(stream)]
    days = [date(2026, 1, 1) + timedelta(days=number % 100) for number in range(len(known))]
    keys: list[Row] = [{KEY: f"c{number}", "decided": day.isoformat()} for number, day in enumerate(days)]
    happened = [day + timedelta(days=1 if number < LATE else -1) for number, day in enumerate(days)]
    write(
        desk.files / "keyed.csv",
        [{**key, **{n: v for n, v in row.items() if n not in LOOKED_UP}} for key, row in zip(keys, known, strict=True)],
    )
    write(desk.files / "whole.csv", [{**key, **row} for key, row in zip(keys, known, strict=True)])
    source: list[Row] = [
        {KEY: key[KEY], "day": day.isoformat(), **{name: row[name] for name in LOOKED_UP}}
        for key, day, row in zip(keys, happened, known, strict=True)
    ]
    write(desk.files / "first.csv", source[: ROWS // 2])
    write(desk.files / "second.csv", source[ROWS // 2 :])


@pytest.fixture(scope="module")
def joined(desk: Desk) -> dict[str, Any]:
    """What a training of rows with keys says."""
    return desk.trained("--data", "keyed.csv", *(word for name in ("first", "second") for word in ("--features", f"{GROUP}={name}.csv")))


def test_rows_get_what_was_known_on_their_day(desk: Desk, joined: dict[str, Any]) -> None:
    features = joined["evaluation"]["features"][GROUP]
    data = json.loads((Path(joined["folder"]) / "model/data.json").read_text())

    assert (features["key"], features["columns"]) == (KEY, list(LOOKED_UP))
    assert features["rows"] == {"with_record": ROWS - LATE, "without_record": LATE}
    assert (features["records"], features["ingestions"]) == (ROWS, {"here": ROWS})
    assert features["offline_store"] == (desk.tree / ".road/train" / MODEL / "features" / GROUP).as_uri()
    assert data["features"][GROUP] == features


def test_the_next_run_is_joined_with_the_same_files(desk: Desk, joined: dict[str, Any]) -> None:
    again = desk.trained()

    assert again["evaluation"]["metrics"] == joined["evaluation"]["metrics"]
    assert again["last"]["features"][GROUP]["records"] == ROWS


def test_rows_with_all_columns_need_no_features(desk: Desk) -> None:
    assert "features" not in desk.trained("--data", "whole.csv")["evaluation"]


def test_what_cannot_be_joined_is_one_line(desk: Desk, tmp_path: Path) -> None:
    (desk.files / "other.csv").write_text("customer,day\nc1,2026-01-01\n")
    wrong = [
        (
            ["--features", "visits=first.csv"],
            2,
            f"--features visits=first.csv: expected GROUP=FILE; {MODEL} looks up in {GROUP}: name files",
        ),
        (["--features", GROUP], 2, f"--features {GROUP}: expected GROUP=FILE"),
        (
            ["--data", "whole.csv", "--features", f"{GROUP}=first.csv"],
            1,
            "has every column itself: leave --features out, or give --data with",
        ),
        (["--data", "keyed.csv", "--features", f"{GROUP}=none.csv"], 2, "none.csv: there is no such file: name CSV or Parquet files"),
        (["--data", "keyed.csv", "--features", f"{GROUP}=other.csv"], 1, f"features.sql of {GROUP}: Binder Error: "),
    ]
    last = desk.tree / ".road/train" / MODEL / "last.json"
    last.unlink(missing_ok=True)
    wrong.append(
        (["--data", "keyed.csv"], 1, f"columns are looked up in {GROUP}, and the data set does not have all of them: give --features")
    )
    ended = each(desk.tree, tmp_path / "cloud", [["train", MODEL, *words] for words, _, _ in wrong], ROAD_CWD=str(desk.files))
    for done, (words, code, sentence) in zip(ended, wrong, strict=True):
        assert (done.code, done.out) == (code, ""), (words, done.err)
        assert sentence in done.err.splitlines()[-1], words
