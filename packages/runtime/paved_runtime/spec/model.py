"""The whole of a `model.toml`: its tables, and what one of them says of another."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

from pydantic import Field, model_validator

from paved_runtime import dates
from paved_runtime.spec.columns import Boolean, Category, Column, Date, Number, Text
from paved_runtime.spec.data import RESERVED, Data
from paved_runtime.spec.features import Lookup
from paved_runtime.spec.gates import Gates, Groups
from paved_runtime.spec.monitoring import Monitoring
from paved_runtime.spec.serving import Serving
from paved_runtime.spec.task import HEADLINES, OBJECTIVES, TARGETS, TaskName
from paved_runtime.spec.training import Training
from paved_runtime.spec.values import Name, Section

Framework = Literal["keras", "lightgbm", "sklearn", "torch", "xgboost"]  # the runtime's own: paved_runtime.frameworks
FRAMEWORKS: tuple[str, ...] = get_args(Framework)
NUMBERS = "a number: accepted are rising cut points such as [30, 60]"


class ModelSpec(Section):
    """One model, as its `model.toml` states it.

    `task` is what it answers with: the probability of one of two outcomes, that of each of several classes, or a number.
    `framework` is what it is learnt with: one of the runtime's own, or that of the model's `framework.py`. `reasons` says how a score is
    shared out over the columns: left out, exactly where the framework can, else by sampling.
    """

    name: Name
    purpose: str = Field(min_length=10)
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    task: TaskName = "binary"
    framework: Name = "xgboost"
    reasons: Literal["exact", "sampled", "none"] | None = None
    data: Data
    gates: Gates
    training: Training
    serving: dict[str, Serving] = Field(min_length=1)
    monitoring: Monitoring | None = None
    features: dict[Name, Lookup] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _data_are_of_the_task(self) -> ModelSpec:
        if self.data.task != self.task:
            raise ValueError(f"data: the target is that of {self.data.task}, task is {self.task!r}, which needs {TARGETS[self.task]}")
        return self

    @model_validator(mode="after")
    def _gates_are_of_the_task(self) -> ModelSpec:
        headline, gates = HEADLINES[self.task], self.gates
        other = "r2" if headline == "roc_auc" else "roc_auc"
        if getattr(gates, headline) is None or getattr(gates, other) is not None:
            raise ValueError(f"gates: the floor of {self.task} is {headline}: give it, and not {other}")
        for invariance in gates.behaviour.invariance:
            if self.task != "regression" and invariance.maximum_change >= 1:
                raise ValueError(f"gates.behaviour.invariance: maximum_change {invariance.maximum_change:g} is no change of a probability")
        if self.reasons == "exact" and self.task == "multiclass":
            raise ValueError('reasons: found "exact", those of classes are none; accepted are "sampled" and "none"')
        return self

    @model_validator(mode="after")
    def _behaviour_is_of_a_class(self) -> ModelSpec:
        behaviour = self.gates.behaviour
        tested = behaviour.monotone or behaviour.invariance or behaviour.minimum_function
        if self.task == "multiclass" and tested and behaviour.outcome not in self.data.classes:
            raise ValueError(f"gates.behaviour.outcome: found {behaviour.outcome!r}; accepted is one of {', '.join(self.data.classes)}")
        if self.task != "multiclass" and behaviour.outcome is not None:
            raise ValueError(f"gates.behaviour.outcome is a class of a multi-class model: take it out of one for {self.task}")
        return self

    @model_validator(mode="after")
    def _selection_is_of_the_task(self) -> ModelSpec:
        rule = self.gates.fairness
        if rule is None:
            return self
        if self.task == "multiclass":
            if rule.threshold is not None or not rule.selected or not set(rule.selected) < set(self.data.classes):
                raise ValueError("gates.fairness: of classes, give those as selected that are in a person's favour, and no threshold")
        elif rule.selected or rule.threshold is None:
            raise ValueError(f"gates.fairness: of {self.task}, give the threshold from which a score selects, and nothing as selected")
        elif self.task == "binary" and not 0 < rule.threshold < 1:
            raise ValueError(f"gates.fairness.threshold: found {rule.threshold:g}; accepted is a probability between 0 and 1")
        return self

    @model_validator(mode="after")
    def _objective_is_of_the_task(self) -> ModelSpec:
        search, objectives = self.training.search, OBJECTIVES[self.task]
        if search and search.objective not in objectives:
            raise ValueError(f"training.search.objective: found {search.objective!r}; accepted for {self.task} are {', '.join(objectives)}")
        return self

    @model_validator(mode="after")
    def _gates_name_columns(self) -> ModelSpec:
        for where, column in self._named_columns():
            if column not in self.data.columns:
                raise ValueError(f"gates.{where}: there is no column {column!r} in data.columns")
        return self

    @model_validator(mode="after")
    def _groups_fit_columns(self) -> ModelSpec:
        for where, groups in self._groups():
            for column, cuts in groups.items():
                if why := _unfit(cuts, self.data.columns[column]):
                    raise ValueError(f"gates.{where}: {column!r} is {why}")
        return self

    @model_validator(mode="after")
    def _lookups_fit_columns(self) -> ModelSpec:
        if self.features and self.data.time is None:
            raise ValueError("features: rows get what was known at their time: name the column that has it as data.time")
        taken: dict[str, str] = {}
        for group, lookup in self.features.items():
            if why := self._no_key(lookup.key):
                raise ValueError(f"features.{group}.key: column {lookup.key!r} {why}")
            for name in lookup.columns:
                if name not in self.data.columns:
                    raise ValueError(f"features.{group}.columns: there is no column {name!r} in data.columns")
                if name in (self.data.group, self.data.time):
                    raise ValueError(
                        f"features.{group}.columns: data.group or data.time names column {name!r}, which the data set itself has"
                    )
                if name in taken:
                    raise ValueError(f"features.{group}.columns: column {name!r} comes from {taken[name]}: name it once")
                taken[name] = group
        return self

    def _no_key(self, name: str) -> str:
        """Why a column cannot have record identifiers; nothing where it can."""
        if name in self.data.columns:
            return "is a feature: a key says whose row it is, and takes no part in the score"
        if name in (self.data.target, self.data.time):
            return "is the target, or data.time: name the one with the record identifier"
        return "has a name that requests use for themselves: rename it in the data set and here" if name in RESERVED else ""

    @model_validator(mode="after")
    def _behaviour_fits_columns(self) -> ModelSpec:
        for column in self.gates.behaviour.monotone:
            if (kind := self.data.columns[column].type) in ("category", "text"):
                raise ValueError(f"gates.behaviour.monotone: {column!r} is a {kind}, which has no more or less")
        for invariance in self.gates.behaviour.invariance:
            if self.data.columns[invariance.column].type == "text":
                raise ValueError(f"gates.behaviour.invariance: {invariance.column!r} is a text, whose values nobody can try")
        for function in self.gates.behaviour.minimum_function:
            for name, cell in (*function.higher.items(), *function.lower.items()):
                if not _holds(self.data.columns[name], cell):
                    raise ValueError(f"gates.behaviour.minimum_function: {name!r} does not accept {cell!r}; data.columns says what it does")
        return self

    @model_validator(mode="after")
    def _memory_is_enough(self) -> ModelSpec:
        for name, serving in self.serving.items():
            if serving.serverless and serving.serverless.memory_mb < self.gates.load.memory_mb:
                has, may = serving.serverless.memory_mb, self.gates.load.memory_mb
                raise ValueError(
                    f"serving.{name}.serverless.memory_mb is {has}, and gates.load.memory_mb lets the container have {may:g}:"
                    " raise the one or lower the other"
                )
        return self

    def _groups(self) -> list[tuple[str, Groups]]:
        gates = self.gates
        slices = [("slices.by", gates.slices.by)] if gates.slices else []
        return slices + ([("fairness.groups", gates.fairness.groups)] if gates.fairness else [])

    def _named_columns(self) -> list[tuple[str, str]]:
        behaviour = self.gates.behaviour
        named = [(where, column) for where, groups in self._groups() for column in groups]
        named += [("behaviour.monotone", column) for column in behaviour.monotone]
        named += [("behaviour.invariance", invariance.column) for invariance in behaviour.invariance]
        for function in behaviour.minimum_function:
            named += [("behaviour.minimum_function", column) for column in (*function.higher, *function.lower)]
        return named

    @property
    def slug(self) -> str:
        """The name as AWS resource names allow it: `lead-scoring`."""
        return self.name.replace("_", "-")

    @property
    def serving_types(self) -> list[str]:
        """The instance types of its endpoints, sorted."""
        return sorted({serving.fleet.instance_type for serving in self.serving.values() if serving.fleet})

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in the contract's order: the order of a CSV request."""
        return tuple(self.data.columns)

    @property
    def stored_columns(self) -> dict[str, Column]:
        """The columns that a data set has itself: those that are not looked up."""
        looked_up = {column for lookup in self.features.values() for column in lookup.columns}
        return {name: column for name, column in self.data.columns.items() if name not in looked_up}

    @property
    def lookup_keys(self) -> tuple[str, ...]:
        """The columns that a data set has in place of those that are looked up, each once."""
        return tuple(dict.fromkeys(lookup.key for lookup in self.features.values()))

    @property
    def whole(self) -> ModelSpec:
        """The same model for rows that have all columns themselves, with the keys or without: it looks nothing up."""
        exclude = dict.fromkeys([*self.data.exclude, *(key for key in self.lookup_keys if key not in self.data.keys)])
        return self.model_copy(update={"features": {}, "data": self.data.model_copy(update={"exclude": tuple(exclude)})})


def _unfit(cuts: tuple[float | date, ...], column: Column) -> str:
    """What a column is, and which cut points it has, where these are none of them."""
    if isinstance(column, Category | Boolean):
        return f"a {column.type}: its values are the groups, accepted is []" if cuts else ""
    if isinstance(column, Text):
        return "a text, which has no groups: name another column"
    kind, example = (date, "a date: accepted are rising dates such as [2025-01-01]") if isinstance(column, Date) else (float, NUMBERS)
    rising = bool(cuts) and all(isinstance(cut, kind) for cut in cuts) and list(cuts) == sorted(set(cuts))
    return "" if rising else example


def _holds(column: Column, cell: bool | int | float | str) -> bool:
    if isinstance(column, Boolean) or isinstance(cell, bool):
        return isinstance(column, Boolean) and isinstance(cell, bool)
    if isinstance(column, Date):
        return isinstance(cell, str) and _in_range(cell, column)
    if isinstance(column, Category | Text) or isinstance(cell, str):
        return isinstance(column, Category) and cell in column.values
    return column.minimum <= cell <= column.maximum and (isinstance(column, Number) or cell == int(cell))


def _in_range(cell: str, column: Date) -> bool:
    low, high = column.days
    try:
        return low <= dates.days(cell) <= high
    except ValueError:
        return False
