"""The `model.toml` of a model that is new, with the reason beside each choice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cli import shapes
from cli.outcomes import Amounts, Several, Two
from cli.profiles import Profile, room
from cli.proposals import SCALES, USUAL_ERROR, Gates
from cli.shapes import Shape
from config import Config
from paved_runtime import frameworks
from paved_runtime.page import legible
from paved_runtime.spec import HEADLINES, Boolean, Category, Column, Date, TaskName, Text

HOLDOUT = 0.2
ROOM = 0.5  # of the width of a regression's numbers: how far beyond them its range goes
JUDGED = {"minimum_outcomes": 50, "minimum_rows": 200, "minimum_positives": 50}  # rows of a slice or group: the contract's own


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a person says of a model that is new: whose it is, what for, what it is learnt with, and how it is asked."""

    purpose: str
    owner: str
    framework: str
    shape: Shape = field(default_factory=Shape)


def write(profile: Profile, gates: Gates, words: Words, *, config: Config, seed: int = 0) -> str:
    """The model's `model.toml`, with the reason beside each choice."""
    tables = [
        _head(profile, words),
        _data(profile, gates, seed),
        _gates(profile, gates),
        _training_table(profile.task, words.framework),
        _serving(profile, config, words.shape),
        _monitoring() if words.shape.monitored else _unmonitored(),
    ]
    return "\n".join(line for table in tables for line in table)


def _head(profile: Profile, words: Words) -> Iterator[str]:
    yield "# What the road must know about this model. Every key is explained in docs/model-toml.md."
    yield f"purpose = {string(words.purpose)}"
    yield f"owner = {string(words.owner)}"
    yield f"task = {string(profile.task)}"
    yield f"framework = {string(words.framework)}"
    yield ""


def _data(profile: Profile, gates: Gates, seed: int) -> Iterator[str]:
    yield "[data]"
    yield f"target = {string(profile.target)}"
    yield from _target(profile)
    yield from _exclude(profile.excluded)
    yield f"minimum_rows = {gates.minimum_rows}" + _why(f"{profile.file.name} has {profile.rows}")
    yield f"holdout = {HOLDOUT}" + _why("share of rows that training never sees")
    if seed:
        yield f"seed = {seed}"
    natural = "with so few values, equal rows are different cases"
    yield f"maximum_duplicates = {gates.maximum_duplicates}" + (_why(natural) if gates.maximum_duplicates == 1 else "")
    yield f"maximum_column_auc = {gates.maximum_column_auc}" + _why(
        f"a column that tells {_event(profile)} better than that is taken for a leak"
    )
    yield f"maximum_pair_auc = {gates.maximum_pair_auc}" + _why("and two columns together")
    yield _usual(profile, gates)
    yield ""
    yield "# Known before the outcome, all of them? What is not belongs to exclude."
    yield "# Ranges go as far beyond what was seen, on either side, as that is wide."
    yield "[data.columns]"
    width = max(len(_key(column)) for column in profile.columns)
    for name, column in profile.columns.items():
        yield f"{_key(name):<{width}} = {_column(column)}"
    yield ""


def _target(profile: Profile) -> Iterator[str]:
    match profile.outcomes:
        case Two() as two:
            yield f"positive = {string(two.positive)}" + _why(f"{two.share:.2%} of the rows")
            yield f"negative = {string(two.negative)}"
        case Several() as several:
            yield "# Where classes have a rank, list them by it, the lowest first: whether scores have moved is looked for in this order."
            yield f"classes = [{', '.join(map(string, several.counts))}]"
        case Amounts() as amounts:
            low, high = room(amounts.ordered[0], amounts.ordered[-1], share=ROOM)
            yield f"target_minimum = {_end(low)}" + _why(f"seen: {amounts.ordered[0]:g} to {amounts.ordered[-1]:g}")
            yield f"target_maximum = {_end(high)}"


def _event(profile: Profile) -> str:
    """What leaks are looked for of, in words."""
    return {
        "binary": "the outcome",
        "multiclass": "one of the classes",
        "regression": "which numbers are above the median",
    }[profile.task]


def _usual(profile: Profile, gates: Gates) -> str:
    accepted = f"{{ minimum = {_number(gates.usual[0])}, maximum = {_number(gates.usual[1])} }}"
    match profile.outcomes:
        case Two():
            return f"positive_share = {accepted}"
        case Several() as several:
            least, most = min(several.shares.values()), max(several.shares.values())
            return f"class_share = {accepted}" + _why(f"of each class; seen: {least:.2%} to {most:.2%}")
        case Amounts() as amounts:
            return f"target_mean = {accepted}" + _why(f"seen: {amounts.mean:.4g}; half a standard deviation on either side")


def _exclude(excluded: Mapping[str, str]) -> Iterator[str]:
    if not excluded:
        return
    yield "exclude = ["
    for name, why in excluded.items():
        yield f"    {string(name)},{_why(why)}"
    yield "]"


def _gates(profile: Profile, gates: Gates) -> Iterator[str]:
    (mean, spread), headline, title = gates.seen, HEADLINES[profile.task], SCALES[profile.task].title
    yield "[gates]"
    yield f"{headline} = {gates.floor}" + _why(f"seen: {mean:.3f} ± {spread:.3f} over five splits")
    yield f"suspicious_{headline} = {gates.suspicious}" + _why("better than that is too good to be true: a person is asked")
    yield f"calibration_error = {gates.calibration_error}" + _why(f"seen: up to {gates.calibration_error_seen:.3f}{_unit(profile)}")
    if profile.task == "regression":
        yield f"bias = {gates.bias}" + _why(f"the mean error, in the same unit; seen: up to {gates.bias_seen:.3f}")
    if gates.reasons_error > USUAL_ERROR:
        yield f"reasons_error = {gates.reasons_error}" + _why("of sampled reasons; twice what was seen")
    yield ""
    yield "[gates.champion]"
    yield f"margin = {gates.champion_margin}" + _why(f"of {title}: how far a new version may be behind the one that serves")
    yield ""
    yield "# Yours to decide: slices that must hold by themselves, and what must hold between groups of people."
    yield "# [gates.slices]"
    yield "# by = { region = [], age = [30, 60] }"
    yield from _judged(profile, "minimum_outcomes")
    yield "# [gates.fairness]"
    yield "# groups = { age = [30, 60] }"
    yield f"# {_selection(profile)}"
    yield from _judged(profile, "minimum_rows", "minimum_positives")
    if isinstance(profile.outcomes, Several):
        yield "# [gates.behaviour]"
        yield f"# outcome = {string(next(iter(profile.outcomes.counts)))}" + _why(
            "the class whose probability the tests of behaviour look at"
        )
    yield ""
    yield "[gates.load]" + _why("what the live endpoint must stand in staging")
    yield from ("requests_per_second = 20", "seconds = 5", "p50_ms = 250", "p95_ms = 500", "p99_ms = 1000", "memory_mb = 1024", "")


def _unit(profile: Profile) -> str:
    return ", in standard deviations of the target" if profile.task == "regression" else ""


def _judged(profile: Profile, *keys: str) -> Iterator[str]:
    """How few rows of a part are judged, where the usual number is too many for a part of what is held out."""
    held = profile.rows * HOLDOUT
    for key in keys:
        rows = max(5, int(held / 4 * (1 if key == "minimum_rows" else profile.outcomes.rarest)))
        if rows < JUDGED[key]:
            yield f"# {key} = {rows}" + _why(f"of the {held:.0f} rows held out; with fewer, a part is reported and not judged")


def _selection(profile: Profile) -> str:
    match profile.outcomes:
        case Two():
            return "threshold = 0.5"
        case Several() as several:
            return f"selected = [{string(next(iter(several.counts)))}]" + _why("the classes that are in a person's favour")
        case Amounts() as amounts:
            return f"threshold = {amounts.ordered[len(amounts.ordered) // 2]:g}" + _why("a score of that or more selects")


def _training_table(task: TaskName, framework: str) -> Iterator[str]:
    yield from ("[training]", 'instance_type = "ml.m5.large"', "")
    yield from hyperparameters(task, framework)
    yield ""


def hyperparameters(task: TaskName, framework: str) -> Iterator[str]:
    """Those with which a framework begins, as the last table of `[training]`."""
    yield "[training.hyperparameters]" + _why(f"what `train` of paved_runtime/frameworks/{framework}.py makes of them stands there")
    yield from (f"{name} = {json.dumps(value)}" for name, value in frameworks.named(framework).hyperparameters(task).items())


def _serving(profile: Profile, config: Config, shape: Shape) -> Iterator[str]:
    for environment in config.environments:
        guarded = environment.approved_only or (environment == config.environments[-1] and len(config.environments) > 1)
        yield f"[serving.{_key(environment.name)}]"
        yield from shapes.endpoint(shape, guarded=guarded)
        yield from _alarms(profile)
        yield from shapes.tables(shape, _key(environment.name))
        yield ""


def _alarms(profile: Profile) -> Iterator[str]:
    """The shift of scores that goes into ALARM, where it depends on what the numbers are: of probabilities, the usual one will do."""
    if isinstance(profile.outcomes, Amounts):
        low, high = room(profile.outcomes.ordered[0], profile.outcomes.ordered[-1], share=ROOM)
        shift = min(max(profile.outcomes.deviation / 2 / (high - low), 0.001), 0.1)
        yield f"alarms = {{ score_shift = {shift:.2g} }}" + _why("half a standard deviation of the target, as a share of its range")


def _monitoring() -> Iterator[str]:
    yield "[monitoring]" + _why("of the last environment")
    yield from ("every_hours = 24", "window_hours = 24", "minimum_rows = 500", "", "[monitoring.retraining]")
    yield 'on = ["drift"]' + _why('also: "schedule", "data"')
    yield from ("cooldown_hours = 24", "per_week = 2", "")


def _unmonitored() -> Iterator[str]:
    yield "# No [monitoring]: SageMaker captures requests of real time alone. Of rows that batches score it would be possible."


def _column(column: Column) -> str:
    if isinstance(column, Category):
        values = ", ".join(map(string, column.values))
        stated = f'type = "category", values = [{values}]'
    elif isinstance(column, Boolean):
        stated = f'type = "boolean", true = {string(column.true)}, false = {string(column.false)}'
    elif isinstance(column, Text):
        stated = f'type = "text", maximum_length = {column.maximum_length}'
    elif isinstance(column, Date):
        stated = f'type = "date", minimum = {column.minimum}, maximum = {column.maximum}'
    else:
        stated = f'type = "{column.type}", minimum = {_number(column.minimum)}, maximum = {_number(column.maximum)}'
    return f"{{ {stated}{f', missing = {column.missing:g}' if column.missing else ''} }}"


def _number(value: float) -> str:
    return repr(value)


def _end(value: float) -> str:
    """An end of a range of numbers that may be whole ones."""
    return _number(int(value) if value.is_integer() else value)


def _key(name: str) -> str:
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isalnum() and bare.isascii() else string(name)


def string(text: str) -> str:
    """A basic string of TOML, which JSON's strings are."""
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def _why(reason: str) -> str:
    return f"  # {legible(' '.join(reason.split()))}"
