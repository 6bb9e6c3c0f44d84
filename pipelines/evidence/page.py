"""The evidence as a page for a person, the same bytes for the same evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Template
from markupsafe import Markup

from paved_runtime.page import MINUS, NONE, environment, figure, interval, legible_json
from paved_runtime.spec import VALIDATION
from pipelines.evidence import document, report, wording
from pipelines.evidence.document import Evidence
from pipelines.evidence.pack import group_and_version
from pipelines.evidence.wording import Wording

if TYPE_CHECKING:
    from pipelines.evidence.plots.svg import Chart

GATES = {
    "data contract": "The data set is what model.toml says it must be.",
    "floor": "On rows it never saw, the model is good enough in itself.",
    "calibration": "",  # asked in the words of the model's task
    "champion": "It is not worse than the version in production, on the same held-out rows.",
    "plausibility": "It is not too good to be true; if it may be, a person is asked.",
    "slices": "No part of the rows is served badly behind a good average.",
    "fairness": "Groups of people are treated alike.",
    "behaviour": "The score answers to its columns as was declared.",
    "reason codes": "Every score can be explained, and its reasons add up to it.",
    "golden requests": "The live endpoint answers as evaluation recorded.",
    "schema": "The live endpoint accepts what the contract says.",
    "parity": "The live endpoint scores held-out rows as evaluation did.",
    "latency": "The live endpoint answers fast enough at the declared rate.",
    "error rate": "The live endpoint answers without errors at the declared rate.",
    "feature freshness": "What the live endpoint looks up is as new as the feature group declares.",
    "feature parity": "The online store answers what the offline store has, on which models are trained.",
    "memory": "The live endpoint stays within its memory.",
}
OUTCOMES = ("failed", "asked", "passed", "reported")  # of verdicts; "asked" are left to a person. The most urgent first
COMPARISONS = {"<=": "≤", ">=": "≥", "==": "="}
MOST_ROWS = 30  # of a chart
VISIBLE = 0.001  # of a population stability index: a bar in a chart that reaches to 0.25
FEW = 4  # verdicts of a gate that are shown at once; the others are folded, unless they failed. And ingestions of a feature group
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate's verdicts, failed ones first, and how they counted."""

    name: str
    asks: str
    verdicts: Sequence[Json]
    counts: Json

    @property
    def shown(self) -> Sequence[Json]:
        """The verdicts that the page shows at once; to fold a single one would save nothing."""
        return self.verdicts if len(self.verdicts) == FEW + 1 else self.verdicts[: max(FEW, self.counts["failed"] + self.counts["asked"])]

    @property
    def folded(self) -> Sequence[Json]:
        """The other verdicts."""
        return self.verdicts[len(self.shown) :]


def render(evidence: Evidence, content: Json) -> str:
    """The page about `evidence`; `content` is that of `report.json`. Parts that either has not are left out, and the page says why."""
    facts, measured = legible_json(evidence.model_dump(mode="json"), lines=True), report.read(legible_json(content, lines=True))
    words = wording.of(evidence.evaluation.task)
    verdicts = [*facts["evaluation"]["gates"], *facts["staging"]["gates"]]
    group, version = group_and_version(evidence.model_package_arn)
    return _template().render(
        e=facts,
        r=measured,
        group=group,
        version=version,
        verdicts=verdicts,
        counts=_counts(verdicts),
        gates=_gates(verdicts, words),
        plots=_plots(facts, measured, verdicts, words),
        worth=charts("worth", words, facts["evaluation"], measured),
        calibration=charts("calibration", words, facts["evaluation"], measured),
        words=words,
        shown_sha256=document.shown_sha256(evidence),
        unfairest=_unfairest(measured["fairness"]),
        metrics=metrics(facts["evaluation"]["metrics"], words),
        outcomes=_outcomes(measured["data"]),
        explained=explained(facts["evaluation"], words),
        most_rows=MOST_ROWS,
        few=FEW,
    )


def _template() -> Template:
    templates = environment("pipelines.evidence")
    templates.filters |= {word.__name__: word for word in (signed, accepted, counted, measured, parted, cut)}
    return templates.get_template("page.html.j2")


def metrics(values: Mapping[str, Any], words: Wording) -> dict[str, tuple[str, Any]]:
    """What was measured, by the key: its name for a person, and the figure; those that decide first."""
    order = [*(key for key in words.metrics if key in values), *(key for key in values if key not in words.metrics)]
    return {key: (words.metrics.get(key, key), values[key]) for key in order}


def explained(evaluation: Json, words: Wording) -> str:
    """How scores are explained, as a sentence; nothing where an older evaluation.json does not say."""
    return words.reasons(**evaluation["reasons"]) if "reasons" in evaluation else ""


def charts(part: Literal["worth", "calibration"], words: Wording, evaluation: Json, measured: Json) -> list[Chart]:
    """The charts of a part that is about a task's scores, `worth` or `calibration`; none where the report has nothing to draw.

    `evaluation` is the content of evaluation.json, `measured` that of report.json.
    """
    if not measured["drawn"]:
        return []
    from pipelines.evidence.plots import binary, multiclass, regression  # here, because matplotlib takes half a second to import

    if part == "calibration":
        spread = {"binary": binary.calibration, "multiclass": multiclass.calibration, "regression": regression.calibration}
        return spread[words.task](measured)
    champion = evaluation["champion"] or {"metrics": {}}
    figures = {"challenger": _metric(evaluation, words.headline), "champion": champion["metrics"].get(words.headline)}
    return {"binary": binary.worth, "multiclass": multiclass.worth, "regression": regression.worth}[words.task](measured, figures)


def measured(metric: Json) -> str:
    """A metric, with its interval where it has one."""
    return interval(metric["value"], metric.get("low"), metric.get("high"))


def signed(value: float | None) -> str:
    """A difference, with its sign: `+0.0021`."""
    return NONE if value is None else f"{value:+.4f}".replace("-", MINUS)


def accepted(verdict: Json) -> str:
    """What a verdict's gate accepts: `≥ 0.75`; nothing where nothing was judged."""
    if not verdict["comparison"]:
        return NONE
    return f"{COMPARISONS[verdict['comparison']]} {figure(verdict['threshold'])}"


def counted(counts: Json) -> str:
    """What came out how often: `1 failed, 3 passed`."""
    return ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name])


def parted(split: Json) -> str:
    """Which rows were held out, as data.json's `split` says it."""
    left = f"; {split['rows']['left_out']} older rows of the same groups left out" if split["rows"]["left_out"] else ""
    if split["by"] == "time":
        (_, last), (first, newest) = split["dates"]["train"], split["dates"]["holdout"]
        return f"the newest rows, {first} to {newest}; training has those up to {last}{left}"
    if split["by"] == "group":
        held = split["groups"]["holdout"]
        return f"whole groups: {held} of {held + split['groups']['train']}"
    of_each = " of each outcome" if any(split.get("outcomes", {}).values()) else ""
    return f"rows at random, {split['share']:.0%}{of_each}"


def cut(value: float, kind: str) -> str:
    """The edge of a column's bin: a day where the column has dates, which are counted from 1970."""
    return (date(1970, 1, 1) + timedelta(days=value)).isoformat() if kind == "date" else figure(value)


def _counts(verdicts: Sequence[Json]) -> dict[str, int]:
    times = Counter(_outcome(verdict) for verdict in verdicts)
    return {name: times[name] for name in OUTCOMES}


def _gates(verdicts: Sequence[Json], words: Wording) -> list[Gate]:
    """By gate, in the order in which the road asks them."""
    asks = {**GATES, "calibration": words.calibrated}
    names = dict.fromkeys([*asks, *(verdict["gate"] for verdict in verdicts)])
    by_gate = {name: [verdict for verdict in verdicts if verdict["gate"] == name] for name in names}
    return [
        Gate(name=name, asks=asks.get(name, ""), verdicts=sorted(mine, key=_urgency), counts=_counts(mine))
        for name, mine in by_gate.items()
        if mine
    ]


def _urgency(verdict: Json) -> int:
    return OUTCOMES.index(_outcome(verdict))


def _outcome(verdict: Json) -> str:
    if verdict["passed"] is None:
        return "asked" if verdict["comparison"] else "reported"
    return "passed" if verdict["passed"] else "failed"


def _plots(facts: Json, measured: Json, verdicts: Sequence[Json], words: Wording) -> dict[str, Markup | None]:
    """Every plot that any model may have, by name; None where there is nothing to draw."""
    from pipelines.evidence.plots import common  # here, because matplotlib takes half a second to import

    load, importance, groups = (
        facts["staging"]["load"],
        measured["importance"][:MOST_ROWS],
        (measured["fairness"] or {"groups": []})["groups"],
    )
    slices, changes = _most_telling(measured["slices"]), sorted(measured["data"]["change"] or [], key=lambda row: -row["psi"])[:MOST_ROWS]
    compared, moved = any(row["difference"] is not None for row in slices), any(row["psi"] >= VISIBLE for row in changes)
    floor, least = _threshold(verdicts, "slices", words.title), _threshold(verdicts, "champion", "upper bound")
    most, off = (
        _threshold(verdicts, "fairness", "mean error"),
        [row for row in groups if row.get("error_difference") is not None][:MOST_ROWS],
    )
    percentiles = {name: load[f"{name}_ms"] for name in ("p50", "p95", "p99")}
    limits = {name: limit for name in percentiles if (limit := _threshold(verdicts, "latency", name)) is not None}
    return {
        "slice_figures": common.slice_figures(slices, floor, words.title) if slices else None,
        "slice_differences": common.slice_differences(slices, least, words.title) if compared else None,
        "fairness": common.fairness(groups[:MOST_ROWS]) if groups else None,
        "group_errors": common.group_errors(off, most) if off else None,
        "change": common.change(changes) if moved else None,
        "importance": common.importance(importance, words.unit) if importance else None,
        "latency": common.latency(percentiles, limits),
        "trials": _trials(facts["search"], words) if facts.get("search") else None,
    }


def _trials(search: Json, words: Wording) -> Markup | None:
    """The plot of a search; None where no trial came to anything."""
    from pipelines.evidence.plots import common

    objective = words.metrics.get(search["objective"].removeprefix(VALIDATION), search["objective"])
    tried = any(trial["objective"] is not None for trial in search["trials"])
    return common.trials(search["trials"], search["best"], f"{objective} on validation rows") if tried else None


def _metric(evaluation: Json, name: str) -> float | None:
    metric = evaluation["metrics"].get(name)
    return metric["value"] if metric else None


def _threshold(verdicts: Sequence[Json], gate: str, word: str) -> float | None:
    """The threshold of a gate's first judged verdict whose subject says `word`."""
    judged = (v["threshold"] for v in verdicts if v["gate"] == gate and word in v["subject"] and isinstance(v["threshold"], int | float))
    return next(judged, None)


def _unfairest(fairness: Json | None) -> list[tuple[str, float | None, str | None]]:
    """The figures that fairness is judged by, each with the group that fares worst; None where nothing is compared."""
    groups = fairness["groups"] if fairness else []
    figures = []
    for name, key, fares in (
        ("lowest selection-rate ratio", "selection_rate_ratio", float),
        ("largest equal-opportunity difference", "opportunity_difference", lambda value: -value),
        ("largest difference of mean errors", "error_difference", lambda value: -abs(value)),
    ):
        if key == "error_difference" and not any(key in row for row in groups):
            continue
        worst = min((row for row in groups if row.get(key) is not None), key=lambda row: fares(row[key]), default=None)
        figures.append((name, worst and worst[key], worst and f"{worst['column']}: {worst['group']}"))
    return figures


def _outcomes(data: Json) -> dict[str, tuple[int, int]]:
    """How many rows of each outcome training has, and how many are held out; nothing where outcomes are numbers."""
    counts = (data.get("split") or {}).get("outcomes", {})
    return {name: (count, counts["holdout"].get(name, 0)) for name, count in counts.get("train", {}).items()}


def _most_telling(slices: Sequence[Json]) -> Sequence[Json]:
    """All slices in their own order; when they are too many for a plot, those that fare worst, worst first."""
    return slices if len(slices) <= MOST_ROWS else sorted(slices, key=_fares)[:MOST_ROWS]


def _fares(row: Json) -> tuple[bool, float]:
    """How a slice does: judged ones first, by the difference to the champion, else by its figure."""
    value = row["figure"] if row["difference"] is None else row["difference"]
    return not row["judged"], math.inf if value is None else value
