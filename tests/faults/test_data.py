"""A data set that something has happened to never reaches training: the container names the column, the rule, the figure and what to do.

On the real data where it is at hand, else on synthetic data.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Container, Edited
from tests.reference import MODEL, MODELS

POISONED, LEAKED = pytest.mark.fault("poisoned data"), pytest.mark.fault("target leakage")
Row = dict[str, str]
LEAK = {
    'exclude = ["duration"]        #': "exclude = []        #",
    "[data.columns]\n": '[data.columns]\nduration = { type = "integer", minimum = 0, maximum = 100000 }\n',
}
DIGIT = '{ type = "integer", minimum = 0, maximum = 9 }'
WAVE = {"[data.columns]\n": f"[data.columns]\nregion = {DIGIT}\nwave = {DIGIT}\n"}
MAY_BE_EMPTY = {'balance   = { type = "integer",': 'balance   = { missing = 0.6, type = "integer",'}
PROXY = {"[data.columns]\n": '[data.columns]\naccount = { type = "integer", minimum = 0, maximum = 1000000 }\n'}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Every third row of the real data set, or of one of its size that is made up."""
    real = os.environ.get("ROAD_REAL_DATA")
    file = Path(real) if real else tmp_path_factory.mktemp("synthetic") / "data.csv"
    if not real:
        maker = [sys.executable, str(MODELS / MODEL / "synthetic.py"), "--rows", "45000", "--out", str(file)]
        subprocess.run(maker, check=True)
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))[::3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ml"


def put(root: Path, rows: list[Row]) -> None:
    folder = root / "input/data/data"
    folder.mkdir(parents=True)
    with (folder / "bank.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def refused(container: Container, root: Path, rows: list[Row], models: Path = MODELS) -> list[dict[str, Any]]:
    """The violations for which preparation refuses the rows; they are in the file, the table and the one line that SageMaker keeps."""
    put(root, rows)
    done = container(root, "prepare", "train", models=models)
    assert done.returncode == 1, done.stdout
    assert not (root / "work").exists()
    assert not (root / "model").exists()
    violations: list[dict[str, Any]] = json.loads((root / "output/data/violations.json").read_text())
    reason = (root / "output/failure").read_text()
    assert reason.startswith("prepare: bank.csv breaks the data contract: ")
    for violation in violations:
        assert f"found {violation['found']}" in reason
        assert violation["advice"] in reason
        wanted = violation["column"] or "(data set)"
        assert any(line.startswith(wanted) and violation["found"] in line for line in done.stderr.splitlines())
    return violations


@POISONED
def test_the_data_as_they_are_pass(container: Container, root: Path, rows: list[Row]) -> None:
    """The other tests prove nothing if this one fails."""
    put(root, rows)
    done = container(root, "prepare")

    assert done.returncode == 0, done.stderr
    assert "checks passed" in done.stdout
    assert not (root / "output").exists()


@LEAKED
def test_a_column_known_only_afterwards_is_found(container: Container, root: Path, rows: list[Row], edited: Edited) -> None:
    """The call's duration, which model.toml excludes, becomes a feature."""
    (violation,) = refused(container, root, rows, models=edited(LEAK))

    assert (violation["column"], violation["rule"]) == ("duration", "leak")
    assert 0.78 < float(violation["found"]) < 0.90
    assert violation["allowed"] == "a ROC AUC of at most 0.75 from this column alone"
    assert "move duration to data.exclude in model.toml" in violation["advice"]


def account(row: Row, draw: random.Random) -> str:
    """A number that is even for nine of ten customers who said no and odd for nine of ten who said yes."""
    truth = (row["y"] == "yes") == (draw.random() < 0.9)
    return str(2 * draw.randrange(10) + truth)


@LEAKED
def test_a_planted_proxy_is_found(container: Container, root: Path, rows: list[Row], edited: Edited) -> None:
    """A new column tells the outcome, in no monotone way: its correlation with it is next to nothing."""
    draw = random.Random(1)  # noqa: S311 - repeatable, not secret
    (violation,) = refused(container, root, [row | {"account": account(row, draw)} for row in rows], models=edited(PROXY))

    assert (violation["column"], violation["rule"]) == ("account", "leak")
    assert float(violation["found"]) == pytest.approx(0.9, abs=0.01)


def banded(row: Row, draw: random.Random) -> str:
    """A number that begins in one of three hundred bands: in an even one if the customer said no, in an odd one if they said yes."""
    return str(3000 * (2 * draw.randrange(150) + (row["y"] == "yes")) + draw.randrange(3000))


@LEAKED
def test_a_proxy_in_narrow_bands_is_found(container: Container, root: Path, rows: list[Row], edited: Edited) -> None:
    """Fifty wide bins would say nothing of it; trees find it."""
    draw = random.Random(2)  # noqa: S311 - repeatable, not secret
    (violation,) = refused(container, root, [row | {"account": banded(row, draw)} for row in rows], models=edited(PROXY))

    assert (violation["column"], violation["rule"]) == ("account", "leak")
    assert float(violation["found"]) > 0.85


def together(row: Row, draw: random.Random) -> Row:
    """Two numbers, each drawn by itself; for those who said yes, and for one in a hundred of the others, their sum is odd."""
    region, odd = draw.randrange(10), (row["y"] == "yes") != (draw.random() < 0.01)
    return {"region": str(region), "wave": str(2 * draw.randrange(5) + (region + odd) % 2)}


@LEAKED
def test_two_columns_that_tell_it_only_together_are_found(container: Container, root: Path, rows: list[Row], edited: Edited) -> None:
    draw = random.Random(3)  # noqa: S311 - repeatable, not secret
    (violation,) = refused(container, root, [row | together(row, draw) for row in rows], models=edited(WAVE))

    assert violation["rule"] == "pair leak"
    assert set(violation["column"].split(" and ")) == {"region", "wave"}
    assert float(violation["found"]) == pytest.approx(0.99, abs=0.01)
    assert violation["allowed"] == "a ROC AUC of at most 0.8 from two columns together"
    assert "find out when each is filled" in violation["advice"]


@LEAKED
@pytest.mark.parametrize("share", [0.45, 0.2])
def test_cells_that_only_one_outcome_leaves_empty_are_found(
    container: Container, root: Path, rows: list[Row], edited: Edited, share: float
) -> None:
    """A part of them: the balance of nobody who said yes is missing."""
    draw = random.Random(4)  # noqa: S311 - repeatable, not secret
    emptied = [row | ({"balance": ""} if row["y"] == "no" and draw.random() < share else {}) for row in rows]
    violations = refused(container, root, emptied, models=edited(MAY_BE_EMPTY))
    missing = next(violation for violation in violations if violation["rule"] == "missing leak")

    assert {violation["column"] for violation in violations} == {"balance"}
    assert "empty in 0.0% of the rows with 'yes' and in" in missing["found"]
    assert "if balance is filled only afterwards, move it to data.exclude in model.toml" in missing["advice"]


@LEAKED
@pytest.mark.parametrize("shares", [(0.3, 0.3), (0.2, 0.35), (0.35, 0.2)])
def test_cells_that_are_empty_for_other_reasons_pass(
    container: Container, root: Path, rows: list[Row], edited: Edited, shares: tuple[float, float]
) -> None:
    """Also where one outcome has nearly twice as many: that may be known in time."""
    draw = random.Random(5)  # noqa: S311 - repeatable, not secret
    put(root, [row | ({"balance": ""} if draw.random() < shares[row["y"] == "yes"] else {}) for row in rows])
    done = container(root, "prepare", models=edited(MAY_BE_EMPTY))

    assert done.returncode == 0, done.stderr


HALVES = {  # a column's cells, in two halves
    "day": ([str(day) for day in range(1, 16)], [str(day) for day in range(16, 32)]),
    "age": ([str(age) for age in range(25, 40)], [str(age) for age in range(40, 60)]),
    "education": (["primary", "unknown"], ["secondary", "tertiary"]),
    "job": (["blue-collar", "technician", "services", "entrepreneur"], ["management", "admin.", "retired", "student"]),
}


SHARES = {"job": 0.22}


def hinted(row: Row, draw: random.Random) -> Row:
    """Three cells in ten are from the half that tells what the customer said; fewer of the job, which tells something by itself."""
    return {column: draw.choice(half[row["y"] == "yes"]) for column, half in HALVES.items() if draw.random() < SHARES.get(column, 0.3)}


@LEAKED
def test_of_a_result_too_good_to_be_true_a_person_is_asked(container: Container, root: Path, rows: list[Row]) -> None:
    """Four columns hint at the outcome, no two of them enough to be refused. Those who approve are told where to look."""
    draw = random.Random(6)  # noqa: S311 - repeatable, not secret
    put(root, [row | hinted(row, draw) for row in rows])
    done = container(root, "prepare", "train", "evaluate")
    assert done.returncode == 0, done.stderr
    evaluation = json.loads((root / "model/evaluation.json").read_text())
    (question,) = [verdict for verdict in evaluation["gates"] if verdict["passed"] is None and verdict["comparison"]]

    assert (question["gate"], question["subject"], question["threshold"]) == ("plausibility", "ROC AUC", 0.87)
    assert question["found"] == pytest.approx(evaluation["metrics"]["roc_auc"]["value"], rel=1e-5)
    assert question["found"] > 0.87
    named = question["advice"].split("before you approve: ")[1].split(";")[0]
    assert sum(column in named for column in HALVES) >= 2, named
    assert not any(verdict["gate"] == "plausibility" and verdict["passed"] is False for verdict in evaluation["gates"])


@POISONED
@pytest.mark.parametrize("spelling", ["", "No", " no"])
def test_an_outcome_that_is_spelt_otherwise_is_no_outcome(container: Container, root: Path, rows: list[Row], spelling: str) -> None:
    """Every customer who said no: no other text takes its place."""
    violations = refused(container, root, [row | ({"y": spelling} if row["y"] == "no" else {}) for row in rows])
    (violation,) = [violation for violation in violations if violation["column"] == "y"]

    assert (violation["rule"], violation["found"], violation["allowed"]) == ("target", repr(spelling), "'yes' or 'no'")
    assert violation["count"] == sum(row["y"] == "no" for row in rows)
    assert violation["advice"].startswith("spelt 'no' it would be an outcome" if spelling else "leave out the rows whose outcome")


@dataclass(frozen=True, kw_only=True)
class Poison:
    """`change` gives the cells that the row of that number gets instead; the rest is how the one violation reads, or begins."""

    column: str
    change: Callable[[Row, int], Row]
    rule: str
    found: str
    allowed: str
    advice: str = "correct the data, or model.toml"


POISONS = {
    "a constant": Poison(
        column="age",
        change=lambda _, __: {"age": "39"},
        rule="constant",
        found="1",
        allowed="2 or more values",
        advice="repair what fills it",
    ),
    "another unit": Poison(
        column="day",
        change=lambda row, _: {"day": f"{row['day']}000"},
        rule="range",
        found="'",
        allowed="an integer between 1 and 31",
    ),
    "an unknown category": Poison(
        column="poutcome",
        change=lambda _, number: {"poutcome": "pending"} if number % 50 == 0 else {},
        rule="category",
        found="'pending'",
        allowed="one of 'failure', 'other', 'success', 'unknown'",
    ),
    "three tenths empty": Poison(
        column="balance",
        change=lambda _, number: {"balance": ""} if number % 10 < 3 else {},
        rule="type",
        found="''",
        allowed="an integer between -100000 and 1000000",
    ),
    "the label turned round": Poison(
        column="y",
        change=lambda row, _: {"y": {"yes": "no", "no": "yes"}[row["y"]]},
        rule="label rate",
        found="0.8",
        allowed="a share of 'yes' between 0.05 and 0.25",
        advice="find out how the outcomes were collected",
    ),
}


@pytest.mark.slow
@POISONED
@pytest.mark.parametrize("name", POISONS)
def test_a_poisoned_column_is_found(container: Container, root: Path, rows: list[Row], name: str) -> None:
    poison = POISONS[name]
    changes = [poison.change(row, number) for number, row in enumerate(rows, start=1)]
    (violation,) = refused(container, root, [row | change for row, change in zip(rows, changes, strict=True)])

    assert (violation["column"], violation["rule"], violation["allowed"]) == (poison.column, poison.rule, poison.allowed)
    assert violation["found"].startswith(poison.found)
    assert violation["advice"].startswith(poison.advice)
    if poison.rule in ("type", "range", "category"):
        wrong = [number for number, change in enumerate(changes, start=1) if change]
        assert (violation["count"], violation["rows"]) == (len(wrong), wrong[:5])


@POISONED
def test_more_empty_cells_than_allowed_are_counted(container: Container, root: Path, rows: list[Row], edited: Edited) -> None:
    """A fifth of a column may be missing; three tenths are."""
    models = edited({'balance   = { type = "integer",': 'balance   = { missing = 0.2, type = "integer",'})
    emptied = [row | {"balance": ""} if number % 10 < 3 else row for number, row in enumerate(rows)]
    (violation,) = refused(container, root, emptied, models=models)

    assert (violation["column"], violation["rule"], violation["allowed"]) == ("balance", "missing", "a share of at most 0.2 of empty cells")
    assert float(violation["found"]) == pytest.approx(0.3, abs=0.001)
    assert violation["rows"] == [1, 2, 3, 11, 12]
    assert "raise missing of data.columns.balance in model.toml" in violation["advice"]


@POISONED
def test_rows_that_came_twice_are_found(container: Container, root: Path, rows: list[Row]) -> None:
    """The last tenth was appended twice."""
    again = rows[-len(rows) // 10 :]
    (violation,) = refused(container, root, rows + again)

    assert (violation["column"], violation["rule"]) == ("", "duplicates")
    assert float(violation["found"]) == pytest.approx(len(again) / (len(rows) + len(again)), abs=0.001)
    assert violation["count"] >= len(again)
    assert "drop the repeated rows" in violation["advice"]


@POISONED
def test_too_few_rows_are_refused(container: Container, root: Path, rows: list[Row]) -> None:
    """The export stopped early."""
    (violation,) = refused(container, root, rows[:: len(rows) // 999][:999])

    assert (violation["rule"], violation["found"], violation["allowed"]) == ("rows", "999", "at least 1000 rows")
    assert "deliver the whole data set" in violation["advice"]


@pytest.fixture(scope="module")
def profile(container: Container, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What the version in production says of its training data."""
    root = tmp_path_factory.mktemp("champion")
    put(root, rows)
    assert container(root, "prepare").returncode == 0
    summary = json.loads((root / "work/train/data.json").read_text())
    return {name: summary[name] for name in ("columns", "positive_share")}


MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
SHIFTS: dict[str, Callable[[Row], Row]] = {
    "month": lambda row: {"month": MONTHS[(MONTHS.index(row["month"]) + 4) % 12]},  # coded from another start
    "housing": lambda row: {"housing": "yes" if int(row["age"]) % 50 else "no"},  # a form's new default
    "balance": lambda row: {"balance": str(max(-100_000, min(1_000_000, int(row["balance"]) * 100)))},  # in cents, cut to what is accepted
    "previous": lambda row: {"previous": str(min(500, int(row["previous"]) + 20))},  # counted from another date
}


@pytest.mark.slow
@POISONED
@pytest.mark.parametrize("column", SHIFTS)
def test_a_change_that_every_cell_survives_is_found(
    container: Container, root: Path, rows: list[Row], profile: Mapping[str, Any], column: str
) -> None:
    """Each cell is within the contract, but the column is not what the version in production learnt from."""
    champion = {"version": 1, "model_package_arn": "arn", "commit": "c", "refused": 0, "reason": "", "profile": profile}
    (root / "input/data/champion").mkdir(parents=True)
    (root / "input/data/champion/champion.json").write_text(json.dumps({**champion, "scores": [0.1] * len(rows)}))
    found = refused(container, root, [row | SHIFTS[column](row) for row in rows])
    change = next(violation for violation in found if violation["rule"] == "change")

    assert {violation["column"] for violation in found} == {column}
    assert float(change["found"]) > 1
    assert change["allowed"] == "a population stability index of at most 1 against the champion's training data"
    assert "raise data.maximum_change in model.toml" in change["advice"]
