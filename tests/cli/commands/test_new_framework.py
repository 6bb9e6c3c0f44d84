"""docs/new-framework.md, typed as it stands: a library that the runtime does not have takes the road as a file of the model's folder."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from cli.tree import HERE
from tests.support import data_sets
from tests.support.road import Road, road_in
from tests.support.tree import reference_tree

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = (HERE / "docs/new-framework.md").read_text(encoding="utf-8")
NAME = "scorecard"


def block(language: str, before: str) -> str:
    """The first block of a language that follows a text of the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE[PAGE.index(before) :].partition("\n## ")[0], re.DOTALL)[:1]
    return str(found)


def typed(road: Road, before: str, data: Path) -> None:
    """Type the commands that follow a text of the page, with a file of one's own."""
    for line in block("sh", before).splitlines():
        command, *arguments = line.replace("FILE.csv", str(data)).replace("--target y", "--target churned").split()
        assert command == "./road"
        done = road(*arguments)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = reference_tree(tmp_path_factory.mktemp("tree"))
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    return tree


@pytest.fixture(scope="module")
def road(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Road:
    return road_in(tree, tmp_path_factory.mktemp("none") / "cloud", seconds=500)


def test_the_page_adds_statsmodels(tree: Path, road: Road, tmp_path: Path) -> None:
    data = data_sets.write(tmp_path / "customers.csv", data_sets.small(1500))
    folder = tree / "model_code" / NAME
    typed(road, "# A framework of your own", data)

    (folder / "framework.py").write_text(block("python", "## 1."))
    (folder / "training.py").write_text(block("python", "## 2."))
    own, contract = block("toml", "## 2."), folder / "model.toml"
    first, _, settings = own.partition("\n\n")
    head = re.sub(r"\[training\.hyperparameters\].*?\n\n", f"{settings}\n", contract.read_text(), flags=re.DOTALL)
    contract.write_text(re.sub(r"^framework = .*\n", "", head, flags=re.MULTILINE).replace("\n[data]\n", f"{first}\n\n[data]\n", 1))
    packages = folder / "requirements.in"
    packages.write_text(re.sub(r"^xgboost-cpu.*$", "statsmodels", packages.read_text().replace("[xgboost]", ""), flags=re.MULTILINE))
    typed(road, "## 3.", data)

    trained = tree / ".road/train" / NAME / "ml/model"
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert evaluation["framework"]["name"] == "statsmodels"
    assert evaluation["gates_failed"] == 0
    assert (trained / "scorecard.json").is_file()
    assert not (trained / "model.onnx").exists()
    (reasons,) = [gate for gate in evaluation["gates"] if gate["gate"] == "reason codes"]
    assert reasons["passed"] is True
