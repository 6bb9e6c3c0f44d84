"""Which version the next one is compared with: the ledger's last word, where its signature holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from pipelines.steps import package
from pipelines.steps.champion import exports, newest
from pipelines.steps.step import StepError
from tests.pipelines.evidence.world import World

ROOT = Path(__file__).parents[3]


def record(world: World, time: str, *, signer: Signer | None = None, **changes: Any) -> str:
    """Add an entry about the world's package to the ledger; where it lies."""
    content = {
        "version": 1,
        "action": "deployed",
        "model": "lead_scoring",
        "environment": "production",
        "time": time,
        "execution": "11111111-2222-3333-4444-555555555555",
        "model_package_arn": world.arn,
        "evidence_sha256": "e" * 64,
        "commit": "c" * 40,
        "data_sha256": "d" * 64,
        "image_uri": package.read(world.sagemaker, world.arn).image,
        "endpoint": "paved-road-lead-scoring-production",
        "endpoint_config": "config-1",
        "approved_by": "ada",
        "reason": "better",
    }
    entry = document.parse(LedgerEntry, {**content, **changes}, "ledger entry")
    uri = pack.ledger_entry(world.artifacts, entry)
    pack.write_signed(world.s3, signer or world.signer, uri, document.canonical(entry))
    return uri


def found(world: World, environment: str = "production") -> LedgerEntry | None:
    return newest(world.s3, world.signer, world.artifacts, environment)


def test_the_newest_entry_names_the_champion(staged: World) -> None:
    for time, commit in (("2026-11-20T09:00:00Z", "a" * 40), ("2026-11-21T08:00:00Z", "b" * 40), ("2026-11-20T23:59:59Z", "f" * 40)):
        record(staged, time, commit=commit)
    record(staged, "2026-12-01T00:00:00Z", environment="canada")
    champion = found(staged)

    assert champion is not None
    assert champion.commit == "b" * 40
    assert exports(champion, staged.sagemaker) == {
        "CHAMPION_ARN": staged.arn,
        "CHAMPION_IMAGE_URI": package.read(staged.sagemaker, staged.arn).image,
        "CHAMPION_MODEL_URI": staged.model_data,
    }


def test_before_the_first_deployment_there_is_none(staged: World) -> None:
    assert found(staged) is None
    assert exports(None, staged.sagemaker) == {"CHAMPION_ARN": "", "CHAMPION_IMAGE_URI": "", "CHAMPION_MODEL_URI": ""}


def test_an_entry_of_another_key_is_no_champion(staged: World) -> None:
    record(staged, "2026-11-20T09:00:00Z")
    record(staged, "2026-11-21T09:00:00Z", signer=staged.stranger)

    with pytest.raises(StepError, match=r"found no signature that .* made for it: no version is trusted"):
        found(staged)


def test_an_entry_that_was_edited_is_no_champion(staged: World) -> None:
    uri = record(staged, "2026-11-21T09:00:00Z")
    entry = json.loads(staged.read(uri))
    with staged.holding(uri, json.dumps({**entry, "reason": "weaker"}).encode()), pytest.raises(StepError, match="no version is trusted"):
        found(staged)
    with staged.holding(f"{uri}.sig", None), pytest.raises(StepError, match="no version is trusted"):
        found(staged)

    assert found(staged)


def test_an_entry_with_unknown_facts_is_no_champion(staged: World) -> None:
    uri = record(staged, "2026-11-21T09:00:00Z")
    content = json.dumps({**json.loads(staged.read(uri)), "color": "red"}).encode()
    signature = staged.signer.sign(content).encode()

    with staged.holding(uri, content), staged.holding(f"{uri}.sig", signature), pytest.raises(StepError, match="color: found 'red'"):
        found(staged)


def test_an_entry_moved_from_another_environment_is_no_champion(staged: World) -> None:
    uri = record(staged, "2026-11-21T09:00:00Z", environment="staging")
    for name in (uri, f"{uri}.sig"):
        pack.write(staged.s3, name.replace("/staging/", "/production/"), staged.read(name))

    with pytest.raises(StepError, match="found an entry of staging"):
        found(staged)


def test_a_registry_that_names_another_image_is_not_believed(staged: World) -> None:
    record(staged, "2026-11-21T09:00:00Z", image_uri=f"i@sha256:{'0' * 64}")

    with pytest.raises(StepError, match=r"the registry has image .*, the ledger i@sha256:000"):
        exports(found(staged), staged.sagemaker)


def test_the_program_gives_a_shell_its_variables(staged: World, evidence_server: str) -> None:
    arguments = ["--bucket", staged.artifacts.removeprefix("s3://"), "--environment", "production", "--evidence-key", staged.signer.key]
    command = [sys.executable, "-m", "pipelines.steps.champion", *arguments]
    environment = {**os.environ, "AWS_ENDPOINT_URL": evidence_server, "PYTHONPATH": str(ROOT)}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    first = run()
    record(staged, "2026-11-21T09:00:00Z")
    second = run()

    assert first.stdout == "export CHAMPION_ARN=''\nexport CHAMPION_IMAGE_URI=''\nexport CHAMPION_MODEL_URI=''\n"
    assert first.stderr == "no champion: production has served nothing yet\n"
    assert f"export CHAMPION_ARN={staged.arn}\n" in second.stdout
    assert second.stderr == f"champion: {staged.arn}, since 2026-11-21T09:00:00Z\n"
