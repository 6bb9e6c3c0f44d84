"""In which order the toolchain's stacks are deployed."""

from __future__ import annotations

import pytest

import naming
from paved_runtime.spec import Lookup
from pipelines.deployment import toolchain
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.feature_groups import GROUP, GROUPS
from tests.support.networks import EXISTING, MANAGED, with_networks


def test_a_registry_stands_before_the_pipeline_that_needs_it() -> None:
    assert toolchain.of_model(CONFIG, reference.model()) == [[naming.registry_stack(CONFIG, MODEL)], [naming.delivery_stack(CONFIG, MODEL)]]


def test_a_managed_network_stands_before_all_else() -> None:
    config = with_networks("three", MANAGED, EXISTING)

    assert toolchain.of_all(config, [MODEL])[0][0] == naming.network_stack(config, config.toolchain)
    assert toolchain.of_account(config, config.environments[-1].account) == []


def test_feature_groups_stand_in_every_account_before_a_model_that_looks_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looking_up = reference.model().model_copy(update={"features": {GROUP: Lookup(key="customer_id", columns=("visits_7d",))}})
    assert toolchain.of_features(CONFIG) == []
    monkeypatch.chdir(GROUPS.parents[1])

    every = [naming.features_stack(CONFIG, account) for account in CONFIG.accounts]
    assert toolchain.of_features(CONFIG) == every
    assert toolchain.of_account(CONFIG, CONFIG.environments[0].account) == [every[1]]
    assert toolchain.of_model(CONFIG, looking_up)[0] == [every[0]]


def test_the_platforms_pipeline_which_runs_this_is_last() -> None:
    first, deliveries, last = toolchain.of_all(CONFIG, [MODEL, "churn"])

    assert first == [naming.toolchain_stack(CONFIG), naming.registry_stack(CONFIG, MODEL), naming.registry_stack(CONFIG, "churn")]
    assert deliveries == [naming.delivery_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, "churn")]
    assert last == [naming.delivery_stack(CONFIG, naming.PLATFORM)]
