"""The contract of `model.toml`: the one thing that stacks, pipelines, runtime and cli all read.

A data scientist states facts about a model once, here they are checked once, and every error names the file,
the key, what was found and what is accepted.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

WORDS = {"missing": "this key is required", "extra_forbidden": "there is no such key; docs/model-toml.md lists them all"}
MODELS = Path(__file__).parent
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]


class SpecError(ValueError):
    """A `model.toml` that cannot be used; one line a problem."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Integer(_Table):
    """A whole-number column and its accepted range, both ends included; at most 2**53, so that JSON carries it exactly."""

    type: Literal["integer"]
    minimum: int = Field(ge=-(2**53), le=2**53)
    maximum: int = Field(ge=-(2**53), le=2**53)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Integer:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Number(_Table):
    """A real-number column and its accepted range, both ends included."""

    type: Literal["number"]
    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Number:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Category(_Table):
    """A text column and the values it may take. Their order is the order that feature code sees as 0, 1, 2, …"""

    type: Literal["category"]
    values: tuple[str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _values_differ(self) -> Category:
        if repeated := sorted({value for value in self.values if self.values.count(value) > 1}):
            raise ValueError(f"value {repeated[0]!r} is listed twice")
        return self


Column = Annotated[Integer | Number | Category, Field(discriminator="type")]


class Data(_Table):
    """What the data set must look like.

    `exclude` names columns that are dropped unread; `holdout` is a share of rows, and `seed` chooses which.
    """

    target: str
    positive: str
    exclude: tuple[str, ...] = ()
    minimum_rows: int = Field(gt=0)
    holdout: float = Field(gt=0, lt=0.9)
    seed: int = 0
    columns: dict[str, Column] = Field(min_length=1)

    @model_validator(mode="after")
    def _target_is_no_feature(self) -> Data:
        for name in (self.target, *self.exclude):
            if name in self.columns:
                raise ValueError(f"column {name!r} is the target or excluded, so it cannot be a feature")
        return self


class Gates(_Table):
    """Absolute floors that a candidate must reach on the held-out split."""

    roc_auc: float = Field(ge=0.5, le=1)


class Training(_Table):
    """How the training job runs. Sizes in GiB, times in minutes."""

    steps: Literal["one-job", "separate"] = "one-job"
    instance_type: InstanceType
    instance_count: int = Field(default=1, ge=1, le=1)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    hyperparameters: dict[str, int | float | str] = {}


class Deployment(_Table):
    """How a new version takes over an endpoint's traffic (SageMaker's blue/green BlueGreenUpdatePolicy)."""

    policy: Literal["all-at-once", "canary", "linear"]
    size_percent: int = Field(default=50, ge=10, le=50)
    bake_minutes: int = Field(default=10, ge=0, le=60)


class Serving(_Table):
    """One environment's endpoint. `invocations_per_instance` is the scaling target, in requests a minute."""

    instance_type: InstanceType
    instances: int = Field(ge=1)
    maximum_instances: int | None = None
    invocations_per_instance: int = Field(default=1000, gt=0)
    capture_percent: int = Field(default=100, ge=0, le=100)
    deployment: Deployment

    @model_validator(mode="after")
    def _sagemaker_accepts(self) -> Serving:
        if self.deployment.policy != "all-at-once" and self.instances < 2:
            raise ValueError(f"a {self.deployment.policy} shift moves at most half of the instances: instances must be 2 or more")
        if self.maximum_instances is not None and self.maximum_instances < self.instances:
            raise ValueError("maximum_instances is smaller than instances")
        return self


class ModelSpec(_Table):
    """One model, as its `model.toml` states it."""

    name: Name
    purpose: str = Field(min_length=10)
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    data: Data
    gates: Gates
    training: Training
    serving: dict[str, Serving] = Field(min_length=1)

    @property
    def slug(self) -> str:
        """The name as AWS resource names allow it: `lead-scoring`."""
        return self.name.replace("_", "-")

    @property
    def features(self) -> tuple[str, ...]:
        """Column names in the contract's order: the order of a CSV request."""
        return tuple(self.data.columns)


def load(model: str, models: Path = MODELS) -> ModelSpec:
    """Read and check one model's `model.toml`.

    Raises:
        SpecError: the file is missing, is not TOML, or a key is wrong; the message names file, key, found and accepted.
    """
    path = models / model / "model.toml"
    where = path.relative_to(models.parent)
    if not path.is_file():
        raise SpecError(f"{where}: no such file; known models: {', '.join(names(models)) or 'none'}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if "name" in content:
            raise SpecError(f"{where}: name: found {content['name']!r}; the folder's name is the model's name")
        return ModelSpec.model_validate({"name": model, **content})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{where}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise SpecError("\n".join(_line(str(where), e) for e in error.errors())) from error


def names(models: Path = MODELS) -> list[str]:
    """The models that have a `model.toml`, in alphabetical order."""
    return sorted(p.parent.name for p in models.glob("*/model.toml"))


def load_all(models: Path = MODELS) -> list[ModelSpec]:
    """Every model's checked spec, in alphabetical order."""
    return [load(name, models) for name in names(models)]


def _line(where: str, error: object) -> str:
    assert isinstance(error, dict)
    path = error["loc"]
    path = path[:3] + path[4:] if path[:2] == ("data", "columns") else path  # pydantic puts a column's type behind its name
    key = ".".join(str(part) for part in path) or "(whole file)"
    accepted = WORDS.get(error["type"]) or re.sub(r"^Value error, ", "", error["msg"])
    found = "" if error["type"] in ("value_error", *WORDS) else f"found {error['input']!r}; "
    return f"{where}: {key}: {found}{accepted}"
