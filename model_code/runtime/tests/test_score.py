"""The champion on newer data: a score for each row it can read, null for the others, and never a reason to fail the newer model's run."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_code.conftest import ORIGIN, environment
from model_code.runtime import artifact, contract
from model_code.runtime.__main__ import main
from model_code.runtime.invocations import Invocations
from model_code.spec import ModelSpec

ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/paved-road-lead-scoring/7"
Frame = list[dict[str, str]]


@pytest.fixture
def root(trained: Path, data: Path, tmp_path: Path) -> Path:
    """The ML_ROOT of a processing job with the model and its data set."""
    given = tmp_path / "processing/input"
    artifact.pack(trained / "model", given / "model/model.tar.gz")
    (given / "data").mkdir()
    shutil.copy(data, given / "data/data.csv")
    return tmp_path


def edit(root: Path, change: Callable[[Frame], Frame]) -> None:
    """Change the data set's first rows; only they are kept."""
    file = root / "processing/input/data/data.csv"
    with file.open(newline="") as stream:
        rows = change(list(csv.DictReader(stream))[:200])
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def scored(root: Path) -> dict[str, Any]:
    assert main(["score"], environment(root, MODEL_PACKAGE_ARN=ARN)) == 0
    written: dict[str, Any] = artifact.read_json(root / "processing/champion/champion.json")
    return written


def test_every_row_in_the_order_of_the_contract(
    root: Path, data: Path, trained: Path, model_spec: ModelSpec, invocations: Invocations, capsys: pytest.CaptureFixture[str]
) -> None:
    written = scored(root)
    examples = contract.read(data.parent, model_spec.data)
    learnt = artifact.read_json(trained / "model" / artifact.DATA)

    assert capsys.readouterr().out == "scored 4000 of 4000 rows\n"
    assert written["scores"] == invocations.scores(examples.table).tolist()
    assert (written["version"], written["commit"], written["refused"], written["reason"]) == (1, ORIGIN["COMMIT"], 0, "")
    assert written["profile"] == {name: learnt[name] for name in ("columns", "positive_share")}


def test_rows_that_its_contract_refuses_are_null(root: Path) -> None:
    plain = scored(root)["scores"][:200]

    def change(rows: Frame) -> Frame:
        rows[3]["age"] = "x"
        rows[7]["job"] = "astronaut"
        rows[7]["balance"] = "1e99"
        rows[9]["y"] = "perhaps"
        return [row | {"region": "north"} for row in rows]

    edit(root, change)
    written = scored(root)

    assert [row for row, score in enumerate(written["scores"]) if score is None] == [3, 7]
    assert [score for score in written["scores"] if score is not None] == pytest.approx([plain[i] for i in range(200) if i not in (3, 7)])
    assert (written["refused"], written["model_package_arn"]) == (2, ARN)
    assert written["reason"] == "column 'age': type (1 row); column 'job': category (1 row); column 'balance': range (1 row)"


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("poutcome", "the data set lacks column 'poutcome' as the champion knows it"),
        ("y", "the data set is none that the champion reads: column 'y': absent"),
    ],
)
def test_without_a_column_every_row_is_null_and_it_says_why(root: Path, column: str, reason: str) -> None:
    edit(root, lambda rows: [{name: cell for name, cell in row.items() if name != column} for row in rows])
    written = scored(root)

    assert written["scores"] == [None] * 200
    assert written["refused"] == 200
    assert written["reason"].startswith(reason)


def test_a_champion_that_answers_differently_here_is_an_error(root: Path, trained: Path, tmp_path: Path) -> None:
    model = tmp_path / "changed"
    shutil.copytree(trained / "model", model)
    golden = artifact.read_json(model / artifact.GOLDEN)
    golden["requests"][0]["scores"][0] += 0.01
    artifact.write_json(model / artifact.GOLDEN, golden)
    artifact.pack(model, root / "processing/input/model/model.tar.gz")

    assert main(["score"], environment(root, MODEL_PACKAGE_ARN=ARN)) == 1
    assert (root / "output/message").read_text().startswith("score: golden request 1 is answered differently than in evaluation")


def test_no_data_at_all_is_an_error(root: Path) -> None:
    (root / "processing/input/data/data.csv").unlink()

    assert main(["score"], environment(root, MODEL_PACKAGE_ARN=ARN)) == 1
    assert (root / "output/message").read_text().startswith("score: no *.csv in")


def test_a_champion_without_a_name_is_an_error(root: Path) -> None:
    assert main(["score"], environment(root, MODEL_PACKAGE_ARN="")) == 1
    assert (root / "output/message").read_text().startswith("score: the environment variable MODEL_PACKAGE_ARN is not set: it names")
