"""Whether what models look up is there to be looked up, and what their containers are told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import naming
from config import Config
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.spec import ModelSpec

LONGEST_VALUE = 1024  # characters of a variable of a container's environment (API ContainerDefinition)


def problems(config: Config, models: Sequence[ModelSpec], groups: Sequence[FeatureGroup]) -> Iterator[str]:
    """What does not fit; one line each."""
    declared = {group.name: group for group in groups}
    for model in models:
        for name, lookup in model.features.items():
            where = f"model_code/{model.name}/model.toml: features.{name}"
            if name not in declared:
                yield f"{where}: there is no feature_groups/{name}; accepted are {', '.join(sorted(declared)) or 'none, for there is no group'}"
                continue
            group = declared[name]
            if unknown := sorted(set(lookup.columns) - group.features.keys()):
                yield f"{where}.columns: found {', '.join(unknown)}; accepted are those of the group: {', '.join(sorted(group.features))}"
            if not group.online:
                yield f"{where}: found a group with online = false; accepted is one that endpoints can ask: online = true"
        if model.features.keys() <= declared.keys() and (length := len(lookups(config, model, groups))) > LONGEST_VALUE:
            yield (
                f"model_code/{model.name}/model.toml: features: found {len(model.features)} groups, of which a container is told in"
                f" {length} characters; accepted are {LONGEST_VALUE}: look up in fewer groups"
            )


def lookups(config: Config, model: ModelSpec, groups: Sequence[FeatureGroup]) -> str:
    """The variable FEATURES of a model's container, as `paved_runtime.online_store` reads it.

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
    return json.dumps(told, separators=(",", ":"), sort_keys=True)
