"""`road demo` where there is no model yet: the sample takes the road, in a copy of this clone, and the clone stays as it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import naming
from cli import environments
from tests.reference import CONFIG, MODEL
from tests.support.fork import Clone
from tests.support.road import road_in
from tests.support.tree import reference_tree

SAMPLE = environments.sample().name


def test_a_model_that_looks_up_has_no_demo_and_the_way_is_said(tmp_path: Path) -> None:
    tree = reference_tree(tmp_path / "clone")
    toml = tree / "model_code" / MODEL / "model.toml"
    lookup = '[features.activity]\nkey = "customer"\ncolumns = ["balance"]\n\n[gates]'
    toml.write_text(toml.read_text().replace("[data]\n", '[data]\ntime = "decided"\n', 1).replace("[gates]", lookup, 1))

    done = road_in(tree, tmp_path / "cloud")("demo", MODEL, "--yes")

    assert done.returncode == 1
    assert f"road: demo of {MODEL}: it looks columns up in activity" in done.stderr
    assert "./road features put" in done.stderr


@pytest.mark.slow
def test_a_clone_without_models_shows_the_road_with_the_sample(tmp_path: Path) -> None:
    clone = Clone(reference_tree(tmp_path / "clone"))
    shutil.rmtree(clone.home / "model_code")
    clone.commit("no model")

    maker = [sys.executable, str(environments.sample() / "synthetic.py"), "--rows", "5000", "--out", str(clone.home / ".road/own.csv")]
    (clone.home / ".road").mkdir()
    subprocess.run(maker, check=True)

    done = clone.road("demo", "--yes", "--json", "--speed", "150", "--data", ".road/own.csv")

    facts = json.loads(done.stdout)
    assert facts["endpoint"] == naming.endpoint(CONFIG, SAMPLE, CONFIG.environments[-1])
    assert 0 <= facts["scored"]["answer"]["predictions"][0]["score"] <= 1
    assert f"the demo takes the sample {SAMPLE}, in .road/sample" in done.stderr
    assert "5000 rows" in done.stderr
    assert clone.git("status", "--porcelain") == ""
