"""The champion on newer data: a score for each row it can read, null for the others, and never a reason to fail the newer model's run."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import container
import numpy as np
import pytest
from container import age, environment

from paved_runtime import artifact, contract, tasks
from paved_runtime.__main__ import main
from paved_runtime.invocations import Invocations
from paved_runtime.spec import ModelSpec
from paved_runtime.split import split
from paved_runtime.testing import ORIGIN

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/scores/7"
Frame = list[dict[str, str]]


@pytest.fixture
def root(trained: Path, data: Path, tmp_path: Path) -> Path:
    """The ML_ROOT of a processing job with the model and its data set."""
    channels = tmp_path / "processing/input"
    artifact.pack(trained / "model", channels / "model/model.tar.gz")
    (channels / "data").mkdir()
    shutil.copy(data, channels / "data/data.csv")
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
    content: dict[str, Any] = artifact.read_json(root / "processing/champion/champion.json")
    return content


def test_every_row_in_the_order_of_the_contract(
    root: Path, data: Path, trained: Path, model_spec: ModelSpec, invocations: Invocations, capsys: pytest.CaptureFixture[str]
) -> None:
    written = scored(root)
    examples = contract.read(data.parent, model_spec.data)
    learnt = artifact.read_json(trained / "model" / artifact.DATA)

    assert capsys.readouterr().out == "scored 4000 of 4000 rows, 3200 of them seen in training\n"
    assert written["scores"] == invocations.scores(examples.table).tolist()
    assert (written["version"], written["commit"], written["refused"], written["reason"]) == (1, ORIGIN["COMMIT"], 0, "")
    assert written["profile"] == {name: learnt[name] for name in ("columns", "positive_share")}


def test_it_knows_the_rows_that_it_was_trained_on(root: Path, data: Path, model_spec: ModelSpec) -> None:
    examples = contract.read(data.parent, model_spec.data)
    learnt, _ = split(examples, tasks.of(model_spec.data), share=model_spec.data.holdout, seed=model_spec.data.seed)

    assert scored(root)["trained"] == np.isin(examples.digests, learnt.digests).tolist()


def test_an_added_column_makes_no_row_a_new_one_and_a_lost_one_leaves_it_open(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = scored(root)["trained"][:200]
    edit(root, lambda rows: [row | {"region": "north"} for row in rows])
    assert scored(root)["trained"] == before
    edit(root, lambda rows: [{name: cell for name, cell in row.items() if name != "duration"} for row in rows])
    capsys.readouterr()

    assert "trained" not in scored(root)
    assert capsys.readouterr().out == "scored 200 of 200 rows, an unknown number of them seen in training\n"


def test_a_model_of_an_older_runtime_scores_and_does_not_know_its_rows(root: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "older")
    age(tmp_path / "older")
    artifact.pack(tmp_path / "older", root / "processing/input/model/model.tar.gz")
    written = scored(root)

    assert "trained" not in written
    assert written["refused"] == 0


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
    assert written["data_sha256"] == contract.sha256(root / "processing/input/data")
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
    assert written["data_sha256"] == contract.sha256(root / "processing/input/data")
    assert written["reason"].startswith(reason)


def test_a_champion_that_answers_differently_here_is_an_error(root: Path, trained: Path, tmp_path: Path) -> None:
    model = tmp_path / "changed"
    shutil.copytree(trained / "model", model)

    def change(golden: Any) -> None:
        golden["requests"][0]["scores"][0] += 0.01

    container.edit(model, artifact.GOLDEN, change)
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


def test_files_that_its_image_cannot_read_get_no_score_and_fail_nothing(root: Path) -> None:
    """Its image has no pyarrow, the challenger's has: it says nothing of any row, and that is all."""
    file = root / "processing/input/data/data.csv"
    file.rename(file.with_suffix(".parquet"))
    written = scored(root)

    assert (written["scores"], written["refused"], "trained" in written) == ([], 0, False)
    assert written["reason"] == "the data set is none that the champion reads: file: format"
    assert written["data_sha256"] == hashlib.sha256(file.with_suffix(".parquet").read_bytes()).hexdigest()


def test_rows_are_scored_in_parts_of_any_size(data: Path, model_spec: ModelSpec, invocations: Invocations) -> None:
    table = contract.read(data.parent, model_spec.data).table
    parts = [invocations.scores(part) for part in table.parts(700)]

    assert [len(part) for part in parts] == [700] * 5 + [500]
    assert np.concatenate(parts).tolist() == invocations.scores(table).tolist()
