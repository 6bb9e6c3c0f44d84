"""The live check, as the platform's stages run it where nothing serves yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.facts import put_facts
from tests.support.moto_server import Clients
from tests.support.programs import run_step

STAGING = CONFIG.environments[0]
PLACE = ("--model", MODEL, "--environment", STAGING.name)
STACK = naming.serving_stack(CONFIG, MODEL, STAGING)


def test_a_stack_that_is_not_there_is_no_failure(server: str, client: Clients, tree: Path, tmp_path: Path) -> None:
    put_facts(client("ssm"))
    ran = run_step(tree, "verify", *PLACE, "--report", str(tmp_path / "report.json"), url=server)

    assert (ran.returncode, json.loads(ran.stdout)) == (0, {"endpoint": None}), ran.stderr
    assert json.loads((tmp_path / "report.json").read_text()) == {"endpoint": None}
    assert ran.stderr == f"{STACK} is not deployed yet: nothing to verify\n"


def test_a_new_version_that_is_not_there_is_one(server: str, client: Clients, tree: Path) -> None:
    put_facts(client("ssm"))
    ran = run_step(tree, "verify", *PLACE, "--model-package-arn", f"{sample.ARN}/7", url=server)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"verify: {STACK} is not deployed: there is nothing to verify: deploy it\n"


@pytest.mark.parametrize(
    ("step", "flags", "report"),
    [("redeploy", (), {"stacks": []}), ("shadow", ("--model-package-arn", f"{sample.ARN}/7"), {"shadow": None})],
)
def test_neither_is_there_anything_to_update_or_to_shadow(
    step: str, flags: tuple[str, ...], report: object, server: str, client: Clients, tree: Path, tmp_path: Path
) -> None:
    put_facts(client("ssm"))
    ran = run_step(tree, step, *PLACE, "--assembly", str(tmp_path), *flags, url=server)

    assert (ran.returncode, json.loads(ran.stdout)) == (0, report), ran.stderr
    assert ran.stderr.startswith(f"{STACK} is not deployed yet: ")
