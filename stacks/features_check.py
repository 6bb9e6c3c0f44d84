"""Whether what models look up is there to be looked up, and what their servers are told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import naming
from config import Config
from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import ModelSpec


def problems(models: Sequence[ModelSpec], groups: Sequence[FeatureGroup]) -> Iterator[str]:
    """What does not fit; one line each."""
    declared = {group.name: group for group in groups}
    for model in models:
        yield from _isolated(model)
        for name, lookup in model.features.items():
            where = f"model_code/{model.name}/model.toml: features.{name}"
            if name not in declared:
                known = ", ".join(sorted(declared)) or "none, as no group is declared"
                yield f"{where}: there is no feature_groups/{name}; accepted are {known}"
                continue
            group = declared[name]
            if unknown := sorted(set(lookup.columns) - group.features.keys()):
                yield f"{where}.columns: found {', '.join(unknown)}; accepted are those of the group: {', '.join(sorted(group.features))}"
            if not group.online:
                yield f"{where}: found a group with online = false; accepted is one that endpoints can ask: online = true"


def _isolated(model: ModelSpec) -> Iterator[str]:
    for environment, serving in model.serving.items():
        if serving.component and model.features:
            where = f"model_code/{model.name}/model.toml: serving.{environment}.component"
            yield f"{where}: found beside [features]; copies on a shared endpoint reach no feature store: give it an endpoint of its own"


def lookups(config: Config, model: ModelSpec, groups: Sequence[FeatureGroup]) -> dict[str, str]:
    """The variables of a model's container, as `paved_runtime.online_store` reads them; none where it looks nothing up.

    Raises:
        KeyError: the model looks up in a group that is not there.
    """
    declared = {group.name: group for group in groups}
    told = {
        name: {
            "feature_group_name": naming.feature_group(config, name),
            "identifier": declared[name].record_identifier,
            "event_time": declared[name].event_time,
            "online": declared[name].online,
        }
        for name in model.features
    }
    return feature_groups.variables(told) if told else {}
