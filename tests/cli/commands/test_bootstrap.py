"""`road bootstrap`: the account that is meant and no other, with the trust that the road needs, and nobody's account for placeholders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli import configuration
from tests.reference import CONFIG
from tests.support.moto_server import keys_at
from tests.support.road import Done, each
from tests.support.tree import configure, reference_tree

HOME, PRODUCTION = CONFIG.toolchain, CONFIG.environments[-1]


def failure(done: Done) -> str:
    assert (done.code, done.out) != (0, "")
    (line,) = done.err.splitlines()
    return line


def test_an_environments_account_is_bootstrapped_with_its_own_credentials(tree: Path, server: str, programs: Path, tmp_path: Path) -> None:
    place, commands = PRODUCTION.account, [["bootstrap", PRODUCTION.name], ["bootstrap"], ["bootstrap", "nowhere"]]
    done, home, nowhere = each(tree, tmp_path / "cloud", commands, **{"AWS_ENDPOINT_URL": server, **keys_at(server, place)})

    ready = f"{place.id} is ready. Next: ./road deploy with the toolchain's credentials, once every account is bootstrapped\n"
    assert (done.code, done.out) == (0, ready)
    words = ["bootstrap", f"aws://{place.id}/{place.region}"]
    words += ["--cloudformation-execution-policies", "arn:aws:iam::aws:policy/AdministratorAccess"]
    words += ["--qualifier", CONFIG.qualifier, "--trust", HOME.id, "--app", ""]
    assert (programs / "cdk.log").read_text().splitlines() == words  # and nothing of the others
    assert failure(home).startswith(f"road: account {HOME.id} is needed: the credentials are of account {place.id} (")
    known = ", ".join([*(account.id for account in CONFIG.accounts), *(environment.name for environment in CONFIG.environments)])
    assert failure(nowhere) == f"road: account or environment nowhere: config.py has {known}: name one of them"


def test_the_policies_that_the_configuration_names_are_those_of_the_account(server: str, programs: Path, tmp_path: Path) -> None:
    own = reference_tree(tmp_path / "own")
    configure(
        own,
        configuration.source(
            replace(CONFIG, permissions_boundary="bank/Boundary", execution_policies=("one", "bank/two"), job_log_days=400)
        ),
    )
    keys: dict[str, Any] = {name.lower(): value for name, value in keys_at(server, HOME).items()}
    logs: Any = boto3.Session(region_name=HOME.region, **keys).client("logs", endpoint_url=server)
    for group, days in (("/aws/sagemaker/TrainingJobs", 30), ("/aws/sagemaker/TrainingJobsOfOthers", None)):
        logs.create_log_group(logGroupName=group)
        if days:
            logs.put_retention_policy(logGroupName=group, retentionInDays=days)
    (done,) = each(own, tmp_path / "cloud", [["bootstrap", HOME.id]], **{"AWS_ENDPOINT_URL": server, **keys_at(server, HOME)})
    words = (programs / "cdk.log").read_text().splitlines()

    assert done.code == 0, done.err
    arns = [f"arn:aws:iam::{HOME.id}:policy/{name}" for name in ("one", "bank/two")]
    assert words[words.index("--cloudformation-execution-policies") + 1] == ",".join(arns)
    assert words[words.index("--custom-permissions-boundary") + 1] == "bank/Boundary"
    kept = {group["logGroupName"]: group.get("retentionInDays") for group in logs.describe_log_groups()["logGroups"]}
    others = {"/aws/sagemaker/TrainingJobs": 30, "/aws/sagemaker/TrainingJobsOfOthers": None}  # as somebody has said, and not ours
    assert kept == {"/aws/sagemaker/ProcessingJobs": 400, "/aws/sagemaker/TransformJobs": 400, **others}


def test_the_toolchains_account_trusts_nobody_else(tree: Path, server: str, programs: Path, tmp_path: Path) -> None:
    (done,) = each(tree, tmp_path / "cloud", [["bootstrap", HOME.id]], **{"AWS_ENDPOINT_URL": server, **keys_at(server, HOME)})

    assert done.code == 0, done.err
    assert "--trust" not in (programs / "cdk.log").read_text().splitlines()


def test_what_cdk_says_is_told_in_one_line(tree: Path, server: str, programs: Path, tmp_path: Path) -> None:
    (programs / "cdk").write_text("#!/bin/sh\necho 'Bootstrapping …'\necho '❌  Environment failed bootstrapping: AccessDenied'\nexit 1\n")
    (done,) = each(tree, tmp_path / "cloud", [["bootstrap"]], **{"AWS_ENDPOINT_URL": server, **keys_at(server, HOME)})

    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(f"road: cdk bootstrap of {HOME.id} failed: ")
    assert "AccessDenied" in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].endswith("read .road/logs/cdk-bootstrap.log")


@pytest.fixture(scope="module")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree in which a fork has done nothing yet."""
    tree = reference_tree(tmp_path_factory.mktemp("placeholders"))
    nobody = replace(CONFIG, toolchain=replace(HOME, id="1" * 12), repository=replace(CONFIG.repository, id="example/models"))
    configure(tree, configuration.source(nobody))
    return tree


def test_placeholders_do_not_go_to_aws(placeholders: Path, programs: Path, tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "secret"}
    commands = [["bootstrap"], ["bootstrap", PRODUCTION.name], ["deploy"], ["status", "--target", "aws"]]
    for done in each(placeholders, tmp_path / "cloud", commands, **keys):
        assert done.code == 1
        assert failure(done) == (
            f"road: config.py: it still has the template's placeholders: account {'1' * 12}, repository example/models:"
            " ./road init, or edit it; localcloud takes them"
        )
    assert not (programs / "cdk.log").exists()
