"""What began by itself, and what was held back: the records of the judge, as `road status` shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from cli import workshop
from cli.target import Target
from model_code.spec import ModelSpec
from pipelines.steps.retrain import WEEK, Records, Started


@dataclass(frozen=True, kw_only=True)
class Retrainings:
    """Of the last seven days, oldest first. `per_week` is how many may begin."""

    started: Sequence[Started]
    held_back: Sequence[Mapping[str, Any]]
    per_week: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"started": [asdict(one) for one in self.started], "held_back": list(self.held_back), "per_week": self.per_week}

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


def read(aws: Target, model: ModelSpec) -> Retrainings | None:
    """The judge's records; None for a model that nothing trains again."""
    limits = model.monitoring.retraining if model.monitoring else None
    if limits is None:
        return None
    records = Records(aws.client("s3"), workshop.artifacts(aws, model.name).removeprefix("s3://"))
    since = datetime.now(UTC) - WEEK
    started = [one for one in records.started() if one.began > since]
    return Retrainings(started=started, held_back=records.held_back(since=since), per_week=limits.per_week)
