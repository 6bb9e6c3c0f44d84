"""The contract of `model.toml`: the one thing that stacks, pipelines, runtime and cli all read.

A data scientist states facts about a model once, here they are checked once, and every error names the file, the key, what was found and
what is accepted. Each table of the file is a module; what the rest of the road reads of them is named here.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from pydantic import ValidationError

from paved_runtime.spec import wording
from paved_runtime.spec.columns import Boolean, Category, Column, Date, Integer, Number, Text
from paved_runtime.spec.data import RESERVED, Data, Share
from paved_runtime.spec.features import Lookup
from paved_runtime.spec.gates import Behaviour, Champion, Fairness, Gates, Invariance, Load, MinimumFunction, Slices
from paved_runtime.spec.model import FRAMEWORKS, Framework, ModelSpec
from paved_runtime.spec.monitoring import Monitoring, Retraining
from paved_runtime.spec.serving import TERMINATION, Alarms, Deployment, Fleet, OffHours, Serving, Style
from paved_runtime.spec.shapes import Asynchronous, Batch, Component, Serverless
from paved_runtime.spec.task import HEADLINES, OBJECTIVES, TaskName
from paved_runtime.spec.training import VALIDATION, Range, Search, Training
from paved_runtime.spec.values import Cut, alike

__all__ = [
    "FRAMEWORKS",
    "HEADLINES",
    "MODELS",
    "OBJECTIVES",
    "RESERVED",
    "TERMINATION",
    "VALIDATION",
    "Alarms",
    "Asynchronous",
    "Batch",
    "Behaviour",
    "Boolean",
    "Category",
    "Champion",
    "Column",
    "Component",
    "Cut",
    "Data",
    "Date",
    "Deployment",
    "Fairness",
    "Fleet",
    "Framework",
    "Gates",
    "Integer",
    "Invariance",
    "Load",
    "Lookup",
    "MinimumFunction",
    "ModelSpec",
    "Monitoring",
    "Number",
    "OffHours",
    "Range",
    "Retraining",
    "Search",
    "Serverless",
    "Serving",
    "Share",
    "Slices",
    "SpecError",
    "Style",
    "TaskName",
    "Text",
    "Training",
    "alike",
    "load",
    "load_all",
    "names",
]

MODELS = Path(os.environ.get("MODEL_CODE", "model_code"))  # where the program runs: the clone, or an image's WORKDIR


class SpecError(ValueError):
    """A `model.toml` that cannot be used; one line a problem."""


def load(model: str, models: Path | None = None) -> ModelSpec:
    """Read and check one model's `model.toml`, in `MODELS` unless another folder is named.

    Raises:
        SpecError: the file is missing, is not TOML, or a key is wrong; the message names file, key, found and accepted.
    """
    models = models or MODELS
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
        raise SpecError(wording.lines(str(where), error, "docs/model-toml.md")) from error


def names(models: Path | None = None) -> list[str]:
    """The models that have a `model.toml`, in alphabetical order."""
    return sorted(p.parent.name for p in (models or MODELS).glob("*/model.toml"))


def load_all(models: Path | None = None) -> list[ModelSpec]:
    """Every model's checked spec, in alphabetical order."""
    return [load(name, models) for name in names(models)]
