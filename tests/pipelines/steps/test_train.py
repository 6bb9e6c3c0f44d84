"""Train's program where there is nothing to train: it starts no pipeline, and hands on a version and the run that trained it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naming
from pipelines.deployment import package
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.programs import run_step
from tests.support.runs import RUN
from tests.support.world import INPUTS, World, gate, trained

PIPELINE = naming.training_pipeline(CONFIG, MODEL)
EXECUTION, LATER = "99999999-2222-3333-4444-555555555555", "1234abcd" * 5


@pytest.fixture(scope="module")
def world(evidence_server: str) -> World:
    """A version in the group that the program looks at, compared with what the sample's evaluation says."""
    made = trained(evidence_server, group=naming.model_package_group(CONFIG, MODEL), pipeline=PIPELINE)
    made.write_facts()
    return made


def train(world: World, tree: Path, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    champion = world.evidence.evaluation.champion
    assert champion
    compared: dict[str, Any] = {"champion_arn": champion.model_package_arn, "champion_image_uri": "image", "champion_model_uri": "s3://a/b"}
    (folder / "run.json").write_text(replace(RUN, commit=LATER, **compared).json())
    (folder / "definition.json").write_text(json.dumps({"Version": "2020-12-01", "Steps": [gate(INPUTS)]}))
    flags = ("--model", MODEL, "--definition", str(folder / "definition.json"), "--run", str(folder / "run.json"), "--execution", EXECUTION)
    return run_step(tree, "train", *flags, url=url)


def test_what_was_trained_is_handed_on(world: World, tree: Path, tmp_path: Path, evidence_server: str) -> None:
    done = train(world, tree, tmp_path, evidence_server)
    again = train(world, tree, tmp_path, evidence_server)
    second = f"{world.arn.rpartition('/')[0]}/2"

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"export MODEL_PACKAGE_ARN={second}\nexport PIPELINE_EXECUTION_ARN={world.training}\n"
    assert done.stderr.splitlines()[-1] == f"nothing was trained: {second} is {world.arn}, trained at commit {sample.COMMIT}"
    assert again.stdout == done.stdout
    assert package.read(world.sagemaker, second).metadata["commit"] == LATER
    assert len(world.sagemaker.list_pipeline_executions(PipelineName=PIPELINE)["PipelineExecutionSummaries"]) == 1
