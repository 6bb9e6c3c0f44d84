"""Feature groups as a person sees them: what there is, how fresh it is, and who put it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from cli import ingestions
from cli.feature_places import Place
from cli.ingestions import Ingestion
from cli.offline_store import OfflineStore
from cli.problem import Problem
from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a group stands: its newest event by place, and its ingestions, newest first. `why` says of a place that it is not there."""

    group: FeatureGroup
    newest: dict[str, datetime | None]
    ingestions: list[Ingestion]
    why: dict[str, str]

    def as_dict(self) -> Json:
        """For `--json`."""
        known = self.group.model_dump()
        places = {
            name: {"newest_event": newest and newest.isoformat(), "fresh": self.is_fresh(newest)} for name, newest in self.newest.items()
        }
        away = {name: {"problem": why} for name, why in self.why.items()}
        its = [asdict(each) for each in self.ingestions]
        return {**known, "places": {**places, **away}, "records": self.records, "ingestions": its}

    @property
    def records(self) -> int:
        """How many records came by ingestions that have ended."""
        return sum(each.rows for each in self.ingestions if each.ended)

    def is_fresh(self, newest: datetime | None) -> bool:
        """Whether the newest event is young enough for what is deployed now."""
        return newest is not None and datetime.now(UTC) - newest <= timedelta(hours=self.group.freshness_hours)


def look(group: FeatureGroup, places: Sequence[Place]) -> Standing:
    """How a group stands in these places, of which the toolchain's is the first."""
    newest, why = dict[str, datetime | None](), dict[str, str]()
    for place in places:
        try:
            newest[place.name] = OfflineStore.of(place.s3, place.describe(group)).newest(group)
        except Problem as problem:
            why[place.name] = str(problem)
    known = ingestions.every(places[0], group.name) if places[0].name in newest else []
    return Standing(group=group, newest=newest, ingestions=known, why=why)


def overview(standings: Sequence[Standing]) -> Table | Text:
    """Groups as a person reads them."""
    if not standings:
        return Text(f"no feature group is declared: {feature_groups.REFERENCE} shows how")
    table = Table("group", "features", "owner", "records", "ingestions", "newest event", box=None, pad_edge=False, header_style="dim")
    for standing in standings:
        group = standing.group
        events = [f"{name}: {_age(newest)}{'' if standing.is_fresh(newest) else ', stale'}" for name, newest in standing.newest.items()]
        events += [f"{name}: not there" for name in standing.why]
        figures = (str(standing.records), str(len(standing.ingestions)), "\n".join(events))
        table.add_row(group.name, ", ".join(group.features), group.owner, *figures)
    return table


def _age(moment: datetime | None) -> str:
    if moment is None:
        return "none"
    hours = (datetime.now(UTC) - moment).total_seconds() / 3600
    return f"{moment:%Y-%m-%d %H:%M} ({hours:.0f} h ago)"
