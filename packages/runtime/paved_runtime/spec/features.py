"""`[features.<group>]`: columns that are looked up in a feature group, by a key that data set and requests have in their place."""

from __future__ import annotations

from pydantic import Field

from paved_runtime.spec.values import Section, Tuple


class Lookup(Section):
    """What is looked up in one feature group: `columns` of the model that are features of the group, by the record identifier in `key`.

    A record that is older than `maximum_age_hours` counts as none.
    """

    key: str = Field(min_length=1)
    columns: Tuple[str] = Field(min_length=1)
    maximum_age_hours: int | None = Field(default=None, gt=0)
