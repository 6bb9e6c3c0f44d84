"""`road deploy`: with nothing but the toolchain's credentials, what a push needs comes to stand in that account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import naming
from config import Account
from localcloud.testing.running import Running
from tests.reference import CONFIG, MODEL
from tests.support.moto_server import Clients, keys_at
from tests.support.road import each, road_in

HOME, PRODUCTION = CONFIG.toolchain, CONFIG.environments[-1]
CONNECTION = f"arn:aws:codeconnections:{HOME.region}:{HOME.id}:connection/00000000-0000-0000-0000-000000000000"
STACKS = [
    naming.toolchain_stack(CONFIG),
    naming.registry_stack(CONFIG, MODEL),
    naming.delivery_stack(CONFIG, MODEL),
    naming.delivery_stack(CONFIG, naming.PLATFORM),
]


def test_the_toolchain_the_registries_and_the_pipelines_are_deployed(
    tree: Path, server: str, client: Clients, programs: Path, tmp_path: Path
) -> None:
    client("ssm", HOME).put_parameter(Name=naming.toolchain_parameter(CONFIG, "connection"), Value=CONNECTION, Type="String")
    keys = {"AWS_ENDPOINT_URL": server, **keys_at(server, HOME)}

    (done,) = each(tree, tmp_path / "cloud", [["deploy"]], **keys)

    assert done.code == 0, done.err
    words = ["deploy", *STACKS, "--require-approval", "never", "--progress", "events", "--exclusively"]
    assert (programs / "cdk.log").read_text().splitlines() == words
    authorise = f"a person must authorise the connection {naming.connection(CONFIG)} ("
    assert done.out.startswith(f"toolchain, registries and pipelines stand in {HOME.id}; {authorise}")


def test_another_account_is_refused(tree: Path, server: str, programs: Path, tmp_path: Path) -> None:
    keys = {"AWS_ENDPOINT_URL": server, **keys_at(server, PRODUCTION.account)}
    (done,) = each(tree, tmp_path / "cloud", [["deploy"]], **keys)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"road: account {HOME.id} is needed: the credentials are of account {PRODUCTION.account.id} (")
    assert done.err.count("\n") == 1
    assert not (programs / "cdk.log").exists()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Running]:
    """An AWS with the accounts of config.py, and nothing in them."""
    accounts = [account.id for account in CONFIG.accounts]
    with Running(tmp_path / "cloud", accounts=accounts, region=HOME.region) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_credentials_alone_to_an_account_that_waits_for_a_push(cloud: Running, tree: Path, tmp_path: Path) -> None:
    """As the README says it, against an AWS that enforces IAM and is known by its endpoint only."""
    road = road_in(tree, tmp_path / "none", seconds=600)

    def keys(account: Account) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": cloud.state["url"], **cloud.state["accounts"][account.id]}

    def doctor(*words: str) -> dict[str, str]:
        """What is wrong with the toolchain's account, or not known, and why."""
        findings = json.loads(road("doctor", HOME.id, "--json", *words, **keys(HOME)).stdout)
        return {finding["subject"]: finding["state"] for finding in findings if finding["verdict"] != "right"}

    assert doctor()["bootstrap"] == f"there is none with the qualifier {CONFIG.qualifier}; qualifiers there: none"
    for account in CONFIG.accounts:
        done = road("bootstrap", account.id, **keys(account))
        assert done.returncode == 0, done.stderr
    assert list(doctor()) == ["connection", "job logs"]  # which deploy makes; how long logs are kept nobody has decided
    for _ in range(2):  # what is there already is no failure
        done = road("deploy", "--json", **keys(HOME))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["connection"] == naming.connection(CONFIG)

    assert list(doctor()) == ["connection", "job logs"]  # which a person authorises
    trusting = road("doctor", "--json", **keys(HOME))
    assert {finding["subject"] for finding in json.loads(trusting.stdout) if finding["account"] != HOME.id} >= {
        "bootstrap",
        "trust",
        "region",
    }
    stacks = cloud.client("cloudformation", HOME.id).describe_stacks()["Stacks"]
    assert {stack["StackName"] for stack in stacks} >= set(STACKS)
    status = road("status", MODEL, "--target", "aws", **keys(HOME))
    assert f"branch {CONFIG.repository.branch} has no commit yet" in status.stdout
    retried = road("retry", MODEL, "--target", "aws", **keys(HOME))
    assert retried.stdout.startswith(f"{naming.delivery_pipeline(CONFIG, MODEL)}: {naming.SOURCE} of "), retried.stderr
