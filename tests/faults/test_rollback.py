"""The way back, typed by a person: from bad versions to the last good one, again and again, and never further than there is something."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

import naming
from pipelines.deployment import ledger
from tests.reference import CONFIG, MODEL
from tests.support.production import ENVIRONMENT, Production

STAGING = naming.serving_stack(CONFIG, MODEL, CONFIG.environments[0])
pytestmark = [pytest.mark.fault("rollback after bad versions"), pytest.mark.slow]


def rolled_back(production: Production, reason: str, *more: str) -> dict[str, Any]:
    """What `road rollback` answers."""
    done = production.road("rollback", MODEL, "--reason", reason, "--yes", "--json", *more)
    assert done.returncode == 0, done.stderr
    entry: dict[str, Any] = json.loads(done.stdout)
    return entry


def test_good_bad_bad_and_back_lands_on_good(production: Production) -> None:
    """SageMaker takes both bad ones back; the stack says otherwise until a person brings it in line. Nobody lacks an answer then."""
    good = production.served()
    with production.asked():
        bad = [production.version(score=0.3, fails=0.5) for _ in range(2)]
        for version in bad:
            production.shift(version)
            failed = production.run(*production.verify(version))
            assert (failed.returncode, "was rolled back: alarm" in failed.stderr) == (1, True)
    with production.asked() as asked:
        entry = rolled_back(production, "two bad ones in a row")

    assert (entry["action"], entry["model_package_arn"], entry["rolled_back_from"]) == ("rolled back", good, bad[-1])
    assert production.served() == good
    assert (asked["failed"], asked["answered"] > 0) == (0, True)
    assert [production.registered(version)["ModelApprovalStatus"] for version in (good, *bad)] == ["Approved", "Rejected", "Rejected"]
    newest = ledger.newest(production.registry, ENVIRONMENT.name)
    assert newest
    assert newest.model_package_arn == good


def test_versions_that_a_person_left_do_not_count_as_good(production: Production) -> None:
    good = production.served()
    wrong = [production.version(score=0.3) for _ in range(2)]
    for number, version in enumerate(wrong):
        production.deliver(version, f"wrong-{number}")

    first, again = rolled_back(production, "calls the wrong people"), rolled_back(production, "calls the wrong people")
    assert first == again
    assert first["model_package_arn"] == wrong[0]
    second = rolled_back(production, "still the wrong people")
    assert second["model_package_arn"] == production.served() == good
    assert [production.registered(version)["ModelApprovalStatus"] for version in wrong] == ["Approved", "Approved"]
    assert all("rolled_back" in production.registered(version)["CustomerMetadataProperties"] for version in wrong)

    named = rolled_back(production, "it was the data after all", "--to", wrong[1].rpartition("/")[2])
    assert named["model_package_arn"] == production.served() == wrong[1]
    nothing = production.road("rollback", MODEL, "--reason", "no, it was not", "--yes")
    assert "has no good version before version" in nothing.stderr
    assert rolled_back(production, "no, it was not", "--to", good.rpartition("/")[2])["model_package_arn"] == production.served() == good
    history = json.loads(production.road("audit", MODEL, "--json").stdout)
    assert [entry["action"] for entry in history[:4]] == ["rolled back"] * 4
    production.deliver(production.version(score=0.3), "good")  # all others were left by somebody


def test_on_an_account_the_roles_of_the_bootstrap_reach_the_environment(production: Production) -> None:
    """Credentials of the toolchain's account suffice, as they do for CDK."""
    good, wrong = production.served(), production.version(score=0.3)
    production.deliver(wrong, "wrong-on-aws")

    done = production.road_on_aws("rollback", MODEL, "--reason", "too many calls", "--yes", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model_package_arn"] == production.served() == good


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--to", "999"), "has no evidence"),
        (("--environment", "staging"), f"{STAGING}: it is not deployed: there is nothing to roll back"),
        (("--reason", " "), "--reason: it is empty: say why in a few words"),
    ],
)
def test_what_cannot_be_is_one_line(production: Production, arguments: tuple[str, ...], line: str) -> None:
    refused: subprocess.CompletedProcess[str] = production.road("rollback", MODEL, "--reason", "x", "--yes", *arguments)

    assert refused.returncode != 0
    assert line in refused.stderr.splitlines()[-1]
