"""An endpoint that a hand deleted or moved, put back under its stack."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.restore import configuration, restore
from tests.reference import CONFIG, model
from tests.support import sample
from tests.support.facts import FACTS
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, STACK, Production
from tests.support.fakes import AT_ONCE, clients, refusal
from tests.support.ledger import ledger_entry


@pytest.fixture
def production() -> Production:
    """The second version serves, after the first."""
    made = Production.serving(f"{sample.ARN}/2")
    made.configs, made.serves = {"c": f"{sample.ARN}/1", "config-2": f"{sample.ARN}/2"}, "config-2"
    return made


def place(production: Production) -> Place:
    there = clients({"cloudformation": production, "sagemaker": production})
    registry = Registry(config=CONFIG, model=model(), facts=FACTS, clients=clients({}))
    return Place(registry=registry, environment=ENVIRONMENT, deployer=there, verifier=there)


def of(production: Production, version: int, *ledger: int) -> str:
    """The configuration of a version; `ledger` are the versions that served, oldest first, each with configuration `c`."""
    target = Package(arn=f"{sample.ARN}/{version}", image="i", data="s3://b/k", status="Approved", approval="")
    entries = [
        ledger_entry().model_copy(update={"model_package_arn": f"{sample.ARN}/{number}", "endpoint_config": "c"}) for number in ledger
    ]
    return configuration(place(production), production.stack, entries, target)


def test_the_stack_has_the_configuration_of_its_version_and_the_ledger_those_of_others(production: Production) -> None:
    assert [of(production, 2, 1, 2), of(production, 2), of(production, 1, 1, 2)] == ["config-2", "config-2", "c"]


@pytest.mark.parametrize(("version", "why"), [(1, "no endpoint configuration of it is known"), (3, "c is not made of .*/3 any more")])
def test_a_version_without_a_configuration_of_its_own_is_refused(production: Production, version: int, why: str) -> None:
    way = "name a version that has one with --to, then this one, or begin anew:"
    with pytest.raises(DeploymentError, match=f"{why}: {way} aws cloudformation delete-stack --stack-name {STACK}, then push"):
        of(production, version, 3)


def test_a_configuration_that_was_deleted_is_refused(production: Production) -> None:
    del production.configs["c"]
    with pytest.raises(DeploymentError, match="its configuration c was deleted: name a version that has one"):
        of(production, 1, 1)


@pytest.mark.parametrize("gone", [True, False])
def test_an_endpoint_is_made_or_moved(production: Production, gone: bool) -> None:
    production.gone = gone
    restore(place(production), ENDPOINT, "c", AT_ONCE, gone=gone)

    assert (production.gone, production.serves, production.moved_by_hand) == (False, "c", ["c"])


@pytest.mark.parametrize(("code", "raised"), [("AccessDeniedException", DeploymentError), ("ResourceLimitExceeded", Exception)])
def test_who_may_not_is_told_what_somebody_else_types(production: Production, code: str, raised: type[Exception]) -> None:
    def refuse(**_: Any) -> None:
        raise refusal(code, "not you")

    production.update_endpoint = refuse  # type: ignore[method-assign]
    with pytest.raises(raised, match="not you") as error:
        restore(place(production), ENDPOINT, "c", AT_ONCE, gone=False)
    assert ("aws sagemaker update-endpoint" in str(error.value)) is (raised is DeploymentError)
