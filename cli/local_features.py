"""Feature groups of a training on this machine: what their SQL makes of source files, as an offline store has it.

So rows with keys are joined by the join that training jobs make, and what they are joined with is made by the SQL that fills the feature
store; no AWS is asked.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import data_files, feature_places, feature_sql
from cli.feature_sql import Features, columns, quoted, text
from cli.problem import Problem
from cli.tree import typed_path
from paved_runtime import feature_groups
from paved_runtime.feature_groups import INGESTION, FeatureGroup
from paved_runtime.spec import ModelSpec

HERE = "here"  # the ingestion that records came by: they are known from their event time on
FILE = "records.parquet"
Sources = Mapping[str, Sequence[Path]]


@dataclass(frozen=True, kw_only=True)
class LocalStore:
    """The offline store of a group: a folder with `rows` records in Parquet."""

    group: FeatureGroup
    folder: Path
    rows: int


def parse(texts: Sequence[str], model: ModelSpec) -> dict[str, list[Path]]:
    """Source files by the group that a model looks up in, of texts like `GROUP=FILE`. Raises Problem: it looks up in no such group."""
    sources: dict[str, list[Path]] = {}
    for each in texts:
        group, _, path = each.partition("=")
        if group not in model.features or not path:
            known = ", ".join(model.features) or "no feature group"
            raise Problem(
                f"--features {each}", f"expected GROUP=FILE; {model.name} looks up in {known}", "name files of its groups", code=2
            )
        sources.setdefault(group, []).append(typed_path(path).resolve())
    return sources


def contract(model: ModelSpec, file: Path, *, joined: bool) -> ModelSpec:
    """The model as a data set is held against it: one that has every column itself is looked at as if nothing were looked up. `joined`:
    somebody has named source files to join it with.

    Raises:
        Problem: there is no such file, it is no table, or there is nothing to join.
    """
    if not model.features:
        return model
    with data_files.rows(file, model.data) as (header, _):
        if not set(model.data.columns) <= set(header):
            return model
    if joined:
        raise Problem(f"features of {model.name}", f"{file} has every column itself", "leave --features out, or give --data with the keys")
    return model.whole


def make(model: ModelSpec, sources: Sources, folder: Path) -> list[LocalStore]:
    """The offline stores of all groups that a model looks up in, each in a folder of its own; what lies in `folder` goes first.

    Raises:
        Problem: a group has no source files, they cannot be read, or what the SQL makes of them is not what the group declares.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for group in model.features:
        if not sources.get(group):
            why = f"columns are looked up in {group}, and the data set does not have all of them"
            raise Problem(f"features of {model.name}", why, f"give --features {group}=FILE, its source; or --data with every column")
    return [_make(feature_places.group(group), sources[group], folder / group) for group in model.features]


def variables(stores: Sequence[LocalStore]) -> dict[str, str]:
    """What tells a container of them, as `paved_runtime.online_store` reads it; nothing where there are none."""
    told = {
        store.group.name: {
            "feature_group_name": store.group.name,
            "identifier": store.group.record_identifier,
            "event_time": store.group.event_time,
            "offline_store": store.folder.resolve().as_uri(),
        }
        for store in stores
    }
    return feature_groups.variables(told) if told else {}


def _make(group: FeatureGroup, paths: Sequence[Path], folder: Path) -> LocalStore:
    with feature_sql.made(group, feature_sql.sources(paths)) as made:
        folder.mkdir(parents=True)
        shutil.move(_written(made), folder / FILE)
        return LocalStore(group=group, folder=folder, rows=made.rows)


def _written(made: Features) -> Path:
    """The records with the columns that an offline store adds, where the connection may write; each came when it happened."""
    file = made.stored / FILE
    names = ", ".join(map(quoted, columns(made.group)))
    came = "happened AT TIME ZONE 'UTC'"
    added = f"{text(HERE)} AS {INGESTION}, {came} AS api_invocation_time, {came} AS write_time, false AS is_deleted"
    stored = f"SELECT {names}, {added} FROM records"
    made.connection.execute(f"COPY ({stored}) TO {text(str(file))} (FORMAT parquet)")
    return file
