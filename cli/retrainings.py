"""What began by itself, and what was held back: the retraining controller's records, as `road status` shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from pipelines.deployment.registry import Registry
from pipelines.deployment.retraining.policy import WEEK, Started
from pipelines.deployment.retraining.records import Records


@dataclass(frozen=True, kw_only=True)
class Retrainings:
    """Of the last seven days, oldest first. `per_week` is how many may begin."""

    started: Sequence[Started]
    held_back: Sequence[Mapping[str, Any]]
    per_week: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"started": [asdict(start) for start in self.started], "held_back": list(self.held_back), "per_week": self.per_week}

    def view(self) -> Text:
        """For a person: nothing where nothing happened."""
        lines = []
        if self.started:
            last = self.started[-1]
            lines.append(f"  retraining: {len(self.started)} of {self.per_week} a week began, last at {last.time}: {last.cause}\n")
        if self.held_back:
            last_held = self.held_back[-1]
            lines.append(f"  held back: {len(self.held_back)}, last at {last_held['time']}: {last_held['cause']}: {last_held['reason']}\n")
        return Text("".join(lines), "dim")


def read(registry: Registry, per_week: int) -> Retrainings:
    """The controller's records about a model of which `per_week` retrainings may begin."""
    records = Records(registry.s3, registry.facts.artifacts_bucket)
    since = datetime.now(UTC) - WEEK
    started = [start for start in records.started() if start.began > since]
    return Retrainings(started=started, held_back=records.held_back(since=since), per_week=per_week)
