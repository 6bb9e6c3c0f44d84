"""In which order the toolchain's stacks are deployed."""

from __future__ import annotations

import naming
from pipelines.deployment import toolchain
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.networks import EXISTING, MANAGED, with_networks


def test_a_registry_stands_before_the_pipeline_that_needs_it() -> None:
    assert toolchain.of_model(CONFIG, reference.model()) == [[naming.registry_stack(CONFIG, MODEL)], [naming.delivery_stack(CONFIG, MODEL)]]


def test_a_managed_network_stands_before_all_else() -> None:
    config = with_networks("three", MANAGED, EXISTING)

    assert toolchain.of_all(config, [MODEL])[0][0] == naming.network_stack(config, config.toolchain)
    assert toolchain.of_account(config, config.environments[-1].account) == []


def test_the_platforms_pipeline_which_runs_this_is_last() -> None:
    first, deliveries, last = toolchain.of_all(CONFIG, [MODEL, "churn"])

    assert first == [naming.toolchain_stack(CONFIG), naming.registry_stack(CONFIG, MODEL), naming.registry_stack(CONFIG, "churn")]
    assert deliveries == [naming.delivery_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, "churn")]
    assert last == [naming.delivery_stack(CONFIG, naming.PLATFORM)]
