"""`road evidence` as a person types it: facts on standard output, files in a folder, a failure in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.evidence import document, pack, page
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.facts import FACTS, put_facts
from tests.support.moto_server import client_at, keys_at
from tests.support.road import Road


@pytest.fixture(scope="module")
def account(evidence_server: str) -> dict[str, str]:
    """The toolchain's account of config.py, with a pack whose model package nobody has registered; the environment that leads there."""
    s3, ssm, kms = (client_at(evidence_server, service, CONFIG.toolchain) for service in ("s3", "ssm", "kms"))
    s3.create_bucket(Bucket=FACTS.artifacts_bucket, CreateBucketConfiguration={"LocationConstraint": CONFIG.toolchain.region})
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    put_facts(ssm, replace(FACTS, evidence_key=signing))
    evidence, report = sample.approved(), sample.report()
    uri = pack.evidence_uri(sample.ARTIFACTS, evidence.model_package_arn)
    pack.write(s3, uri, document.canonical(evidence))
    pack.write(s3, pack.beside(uri, pack.REPORT), json.dumps(report).encode())
    pack.write(s3, pack.beside(uri, pack.PAGE), page.render(evidence, report).encode())
    return {"AWS_ENDPOINT_URL": evidence_server, **keys_at(evidence_server, CONFIG.toolchain)}


def test_it_prints_facts_and_writes_files(road: Road, account: dict[str, str], tmp_path: Path) -> None:
    human = road("evidence", MODEL, "--out", str(tmp_path / "pack"), **account)
    machine = road("evidence", MODEL, "--version", "7", "--json", "--out", "pack", ROAD_CWD=str(tmp_path), **account)

    assert (human.returncode, machine.returncode) == (0, 0), human.stderr + machine.stderr
    assert "40 passed, 0 failed, 5 reported, not judged" in human.stdout
    assert str(tmp_path / "pack/evidence.html") in human.stdout
    facts = json.loads(machine.stdout)
    assert (facts["folder"], facts["model"], facts["checks"]) == (str(tmp_path / "pack"), MODEL, [])
    assert {file.name for file in (tmp_path / "pack").iterdir()} == {"evidence.json", "evidence.html", "report.json"}


@pytest.mark.parametrize(
    ("arguments", "failure"),
    [
        (
            ["--version", "8"],
            f"road: evidence of {MODEL} version 8: there is none: there is evidence of version 7: name one: --version N",
        ),
        (["--verify"], "road: DescribeModelPackage was refused: ValidationException: "),
    ],
)
def test_it_fails_with_one_line(road: Road, account: dict[str, str], tmp_path: Path, arguments: list[str], failure: str) -> None:
    done = road("evidence", MODEL, "--out", str(tmp_path), *arguments, **account)
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("target: "))

    assert done.returncode == 1
    assert line.startswith(failure)
