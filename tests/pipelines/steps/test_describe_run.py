"""What a run of the training pipeline is made for."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import naming
from pipelines.deployment import package
from pipelines.deployment.facts import DataSet
from pipelines.run import Run
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.facts import put_facts
from tests.support.ledger import ENDPOINT, write_entry
from tests.support.moto_server import Clients
from tests.support.programs import run_step
from tests.support.world import World

IMAGE = f"{sample.REPOSITORY}@sha256:{'a' * 64}"
DATA_SET = DataSet(uri="s3://data/data.csv", sha256="ab", rows=3, version="v1")
PRODUCTION = CONFIG.environments[-1].name


def describe(tree: Path, url: str) -> subprocess.CompletedProcess[str]:
    flags = ("--model", MODEL, "--image-uri", IMAGE, "--commit", sample.COMMIT, "--cause", "it's a push")
    return run_step(tree, "describe_run", *flags, url=url)


def test_it_says_everything_and_whom_to_beat(staged: World, tree: Path, evidence_server: str, tmp_path: Path) -> None:
    put_facts(staged.ssm, staged.facts, DATA_SET)
    first = describe(tree, evidence_server)
    write_entry(staged, "2026-11-21T09:00:00Z")
    second = describe(tree, evidence_server)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    (tmp_path / "run.json").write_text(second.stdout)
    version = package.read(staged.sagemaker, staged.arn)

    assert Run.read(tmp_path / "run.json") == Run(
        image_uri=IMAGE,
        data_uri=DATA_SET.uri,
        data_sha256=DATA_SET.sha256,
        data_version=DATA_SET.version,
        commit=sample.COMMIT,
        role=staged.facts.training_role,
        key=staged.key,
        artifacts=staged.artifacts,
        region=CONFIG.toolchain.region,
        cause="it's a push",
        champion_arn=staged.arn,
        champion_image_uri=version.image,
        champion_model_uri=version.data,
    )
    no_champion = {"champion_arn": "", "champion_image_uri": "", "champion_model_uri": ""}
    assert json.loads(first.stdout) == {**asdict(Run.read(tmp_path / "run.json")), **no_champion}
    assert first.stderr == f"no champion: {PRODUCTION} has served nothing yet\n"
    last = f"endpoint {ENDPOINT} is not there: what it served last counts\n"
    assert second.stderr == f"{last}champion: {staged.arn}, since 2026-11-21T09:00:00Z\n"


def test_no_data_set_is_one_line_that_says_what_to_do(server: str, client: Clients, tree: Path) -> None:
    put_facts(client("ssm"))
    ran = describe(tree, server)
    parameter = naming.parameter(CONFIG, MODEL, "data")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"describe_run: {parameter}: no data set was stored: store one: ./road data put {MODEL} FILE.csv\n"
