"""A version that is compared in the shadow: it gets copies of what production is asked, and only if it answers alike does it take over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.production import Production, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Iterator[Production]:
    """A production whose policy is `shadow`, in which a first version serves: nobody's requests could be copied before."""
    with running(tmp_path_factory.mktemp("production"), tree, "shadow") as made:
        first = made.version(score=0.3)
        for arguments in (made.shadow(first), made.deploy(first), made.verify(first), made.record(first, "first")):
            done = made.run(*arguments)
            assert done.returncode == 0, done.stderr
        yield made


def shadowed(production: Production) -> bool:
    """Whether the endpoint has a shadow now."""
    sagemaker = production.away("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=production.endpoint)["EndpointConfigName"]
    return bool(sagemaker.describe_endpoint_config(EndpointConfigName=config).get("ShadowProductionVariants"))


def test_a_good_one_is_compared_and_takes_over(production: Production) -> None:
    before, version = production.served(), production.version(score=0.33)
    with production.asked() as asked:
        compared = production.run(*production.shadow(version))
        assert compared.returncode == 0, compared.stderr
        assert (production.served(), shadowed(production)) == (before, True)
        deployed = production.run(*production.deploy(version))
        again = production.run(*production.shadow(version))
        verified = production.run(*production.verify(version))
    gates = {gate["subject"].partition(",")[0]: gate for gate in json.loads(compared.stdout)["gates"]}

    assert [done.returncode for done in (deployed, again, verified)] == [0, 0, 0], [deployed.stderr, again.stderr, verified.stderr]
    assert (production.served(), shadowed(production), asked["failed"]) == (version, False, 0)
    assert all(gate["passed"] for gate in gates.values())
    assert gates["50th percentile of scores"]["found"] == pytest.approx(0.03, abs=1e-6)
    assert production.run(*production.record(version, "good")).returncode == 0


@pytest.mark.parametrize(
    ("does", "line"),
    [
        ({"score": 0.9}, "50th percentile of scores, from the live version's, beyond what evaluation found: found 0."),
        ({"score": 0.3, "fails": 0.5}, "share of requests that fail (5xx): found 0."),
        ({"score": 0.3, "fails": 1.0}, "share of requests that fail (5xx): found 1.0"),
    ],
)
def test_one_that_differs_is_refused_and_nobody_has_noticed(production: Production, does: dict[str, float], line: str) -> None:
    before, version = production.served(), production.version(**does)
    with production.asked() as asked:
        refused = production.run(*production.shadow(version))

    assert refused.returncode == 1
    assert line in refused.stderr.splitlines()[-1]
    assert (production.served(), shadowed(production)) == (before, False)
    assert (asked["failed"], asked["answered"] > 100) == (0, True)


def test_one_that_nobody_asked_is_neither_good_nor_bad(production: Production) -> None:
    """The shadow stays, and when somebody has asked, the stage can be retried."""
    before, version = production.served(), production.version(score=0.3)
    quiet = production.run(*production.shadow(version))
    left = shadowed(production)
    with production.asked():
        retried = production.run(*production.shadow(version))

    assert (quiet.returncode, left) == (1, True)
    assert "rows scored by both versions: found 0, accepted is >= 100: too few to judge" in quiet.stderr.splitlines()[-1]
    assert retried.returncode == 0, retried.stderr
    assert production.served() == before
