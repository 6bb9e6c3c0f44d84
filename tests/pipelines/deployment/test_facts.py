"""What a registry tells of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

import naming
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.facts import DataSet, Facts
from pipelines.deployment.registry import Registry
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS, put_facts
from tests.support.fakes import clients
from tests.support.moto_server import Clients
from tests.support.networks import GROUPS, SUBNETS

PATH = naming.parameter(CONFIG, MODEL)
DATA_SET = DataSet(uri="s3://b/data.csv", sha256="ab", rows=3)


def test_each_fact_is_a_parameter(client: Clients) -> None:
    put_facts(client("ssm"))

    assert Facts.read(client("ssm"), PATH) == FACTS


def test_a_registry_in_a_network_tells_which(client: Clients) -> None:
    facts = replace(FACTS, subnets=",".join(SUBNETS), security_groups=",".join(GROUPS))
    put_facts(client("ssm"), facts)

    assert Facts.read(client("ssm"), PATH) == facts


def test_a_data_set_is_a_fact_once_it_was_stored(client: Clients) -> None:
    put_facts(client("ssm"), data=DATA_SET)

    assert Facts.read(client("ssm"), PATH) == replace(FACTS, data=DATA_SET)


def test_other_parameters_are_left_out(client: Clients) -> None:
    ssm = client("ssm")
    put_facts(ssm)
    for name in (f"{PATH}color", naming.parameter(CONFIG, "another_model", "key"), f"{PATH}staging/key"):
        ssm.put_parameter(Name=name, Value="k", Type="String")

    assert Facts.read(ssm, PATH) == FACTS


def test_a_registry_that_is_not_there_is_one_line_that_says_what_to_do(client: Clients) -> None:
    with pytest.raises(
        DeploymentError, match=f"{PATH}data-bucket: no such parameter: the model's registry stack is not deployed: deploy it"
    ):
        Facts.read(client("ssm"), PATH)


def test_a_registry_of_an_older_release_has_no_release_key_and_is_told_when_it_is_needed(client: Clients) -> None:
    ssm = client("ssm")
    put_facts(ssm)
    ssm.delete_parameter(Name=f"{PATH}release-key")
    facts = Facts.read(ssm, PATH)
    registry = Registry(config=CONFIG, model=reference.model(), facts=facts, clients=clients({"kms": client("kms")}))

    assert facts == replace(FACTS, release_key=None)
    assert registry.signer.key == FACTS.evidence_key
    with pytest.raises(DeploymentError, match=f"{naming.registry_stack(CONFIG, MODEL)} has no release key yet: .* deploy it again"):
        registry.release_signer  # noqa: B018 - a property
