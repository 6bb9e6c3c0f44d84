"""The contract of `feature_groups/<group>/`: which features a team keeps of what, and the SQL that makes them.

A group is declared once, in `group.toml`, and made of source files by `features.sql`, one SELECT over the relation `source`. Stacks make
the group in SageMaker Feature Store, people put records into it, training and serving read them: all of them read this.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from paved_runtime.spec import wording
from paved_runtime.spec.values import Section

GROUPS = Path(os.environ.get("FEATURE_GROUPS", "feature_groups"))  # where the program runs
DECLARATION, QUERY = "group.toml", "features.sql"
REFERENCE = "docs/feature-store.md"
VARIABLE = "FEATURES"  # what containers are told of groups
LONGEST_VALUE = 256  # characters of a variable of a processing job, the shortest that SageMaker has (API ProcessingJob, Environment)
INGESTION = "ingestion"  # the feature that says by which ingestion a record came
RESERVED = (
    "api_invocation_time",
    "is_deleted",
    "write_time",
    INGESTION,
)  # SageMaker guide, "Quotas, naming rules and data types"; and ours
MOST = 2500 - 3  # features beside identifier, event time and ingestion (the same page)

FeatureType = Literal["integer", "number", "text"]
SageMakerType = Literal["Fractional", "Integral", "String"]
TYPES: dict[FeatureType, SageMakerType] = {"integer": "Integral", "number": "Fractional", "text": "String"}
GroupName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9_]{0,30}[a-z0-9])?$")]
FeatureName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]([_-]*[a-zA-Z0-9])*$", max_length=64)]  # API FeatureDefinition


class FeatureGroupError(ValueError):
    """A feature group that cannot be used; one line a problem."""


class FeatureGroup(Section):
    """One group, as its `group.toml` declares it.

    `record_identifier` and `event_time` are columns of `features.sql`, both texts in the store: whose values they are, and the moment from
    which they are known. `features` are the others, with the types of their values. `online`: the newest record of each identifier can be
    looked up one by one. `freshness_hours` is how old the newest record may be where a model is deployed that reads the group.
    """

    name: GroupName
    description: str = Field(min_length=10, max_length=128)
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    record_identifier: FeatureName
    event_time: FeatureName
    online: bool = True
    freshness_hours: float = Field(gt=0, allow_inf_nan=False)
    features: dict[FeatureName, FeatureType] = Field(min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _names_differ(self) -> FeatureGroup:
        taken: dict[str, str] = {}
        keys = {"record_identifier": self.record_identifier, "event_time": self.event_time}
        for key, name in (*keys.items(), *((f"features.{name}", name) for name in self.features)):
            folded = name.lower()  # as SQL and tables read names
            if folded in RESERVED:
                raise ValueError(f"{key}: found {name!r}, which the store has for itself: reserved are {', '.join(RESERVED)}")
            if folded in taken:
                raise ValueError(f"{key}: found {name!r}, which {taken[folded]} has: give each a name of its own, whatever its capitals")
            taken[folded] = key
        return self

    @property
    def definitions(self) -> dict[str, SageMakerType]:
        """The features that the group has in SageMaker, with their types: identifier, event time, those that are declared, ingestion."""
        declared = {name: TYPES[kind] for name, kind in self.features.items()}
        return {self.record_identifier: "String", self.event_time: "String", **declared, INGESTION: "String"}


def load(group: str, groups: Path | None = None) -> FeatureGroup:
    """Read and check one group's declaration, in `GROUPS` unless another folder is named.

    Raises:
        FeatureGroupError: `group.toml` or `features.sql` is missing or cannot be read, or a key is wrong; the message names file, key,
            found and accepted.
    """
    groups = groups or GROUPS
    path = groups / group / DECLARATION
    where = path.relative_to(groups.parent)
    if not path.is_file():
        raise FeatureGroupError(f"{where}: no such file; known groups: {', '.join(names(groups)) or 'none'}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if "name" in content:
            raise FeatureGroupError(f"{where}: name: found {content['name']!r}; the folder's name is the group's name")
        declared = FeatureGroup.model_validate({"name": group, **content})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FeatureGroupError(f"{where}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise FeatureGroupError(wording.lines(str(where), error, REFERENCE)) from error
    query(group, groups)
    return declared


def query(group: str, groups: Path | None = None) -> str:
    """The SQL of a group, as it stands in its file. Raises FeatureGroupError: there is none, or it is no text."""
    groups = groups or GROUPS
    path = groups / group / QUERY
    where = path.relative_to(groups.parent)
    if not path.is_file():
        raise FeatureGroupError(f"{where}: no such file; it has the SELECT that makes the features")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FeatureGroupError(f"{where}: not UTF-8: {error}") from error
    if not text.strip():
        raise FeatureGroupError(f"{where}: it is empty; it has the SELECT that makes the features")
    return text


def names(groups: Path | None = None) -> list[str]:
    """The groups that are declared, in alphabetical order."""
    return sorted(path.parent.name for path in (groups or GROUPS).glob(f"*/{DECLARATION}"))


def load_all(groups: Path | None = None) -> list[FeatureGroup]:
    """Every group's checked declaration, in alphabetical order."""
    return [load(name, groups) for name in names(groups)]


def variables(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What tells a container of `groups`: one JSON text, in as many variables as it takes: FEATURES, FEATURES_2, FEATURES_3."""
    text = json.dumps(groups, separators=(",", ":"), sort_keys=True)
    pieces = [text[start : start + LONGEST_VALUE] for start in range(0, len(text), LONGEST_VALUE)]
    return dict(zip(map(_variable, count(1)), pieces, strict=False))


def told(environ: Mapping[str, str]) -> str:
    """The text that `variables` has spread; empty where there is none."""
    return "".join(environ[name] for name in takewhile(environ.get, map(_variable, count(1))))


def _variable(number: int) -> str:
    return VARIABLE if number == 1 else f"{VARIABLE}_{number}"
