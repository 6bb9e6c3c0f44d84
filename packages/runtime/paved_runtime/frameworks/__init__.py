"""Frameworks: what a model may be learnt with. Each is one module, which says what it leaves in an artifact and how that is read.

A `model.toml` names its framework. The runtime's own are the modules beside this one; a framework that it does not have is the module
`framework.py` in the model's folder. None of them imports its library before it is needed: a server that scores by ONNX Runtime and gives
sampled reasons never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

from paved_runtime import plugin
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.spec import FRAMEWORKS, ModelSpec, TaskName
from paved_runtime.table import Matrix


class Framework(Protocol):
    """One framework. Its models are objects of its own kind; whoever holds one may pass it to the functions below, from several threads.

    `NAME` is what `model.toml` calls it, `PACKAGE` the distribution that it needs. `FILES` are those that `save` writes: formats that hold
    data and no code. `TASKS` are those that it learns.

    Where `model.onnx` is among FILES, ONNX Runtime answers callers; without it, `predict` does. Its input is `features`, float32
    [rows, features], its output `probabilities`, float32 [rows, outcomes], of a regression `values`, float32 [rows] or [rows, 1].
    """

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant

    @property
    def PACKAGE(self) -> str: ...  # noqa: N802

    @property
    def FILES(self) -> tuple[str, ...]: ...  # noqa: N802

    @property
    def TASKS(self) -> tuple[TaskName, ...]: ...  # noqa: N802

    def hyperparameters(self, task: TaskName) -> Hyperparameters:
        """Those that `train` reads, as a new model begins with them."""

    def train(self, run: TrainingRun) -> Any:
        """A model that learnt as this framework's models do when their team says nothing else. Deterministic."""

    def save(self, model: Any, folder: Path) -> None:
        """Write FILES."""

    def load(self, folder: Path) -> Any:
        """The model that `save` wrote. Raises ArtifactError where the library refuses a file."""

    def predict(self, model: Any, matrix: Matrix) -> Matrix:
        """Scores, float32: the probabilities of the positive outcome [rows], of each class [rows, classes], or the numbers [rows]."""


@runtime_checkable
class Explaining(Framework, Protocol):
    """A framework whose models share a score out over its features exactly: a probability in log-odds, a number in its own unit."""

    def contributions(self, model: Any, matrix: Matrix) -> tuple[float, Matrix]:
        """The base, and what each feature adds to it, float32 [rows, features]: together they are the logit of each row's score,
        or, of a regression, the score.

        Takes at least one row. The base is the same for every row.
        """


def named(name: str) -> Framework:
    """One of the runtime's own."""
    return cast(Framework, import_module(f"paved_runtime.frameworks.{name}"))


def of(model: ModelSpec) -> Framework:
    """A model's framework.

    Raises:
        ValueError: the model's own `framework.py` calls itself otherwise, or is not there; or the framework does not learn its task.
    """
    framework = named(model.framework) if model.framework in FRAMEWORKS else _own(model)
    if model.task not in framework.TASKS:
        raise ValueError(f"task: found {model.task!r}, framework {framework.NAME} learns {', '.join(framework.TASKS)}")
    return framework


def _own(model: ModelSpec) -> Framework:
    where = f"model_code/{model.name}/framework.py"
    try:
        own = cast(Framework, plugin.module(model.name, "framework"))
    except ModuleNotFoundError as error:
        if not str(error.name).endswith(f"{model.name}.framework"):
            raise
        raise ValueError(f"framework {model.framework!r} is none of {', '.join(FRAMEWORKS)}, and there is no {where}") from error
    if model.framework != own.NAME:
        raise ValueError(f"{where} has NAME = {own.NAME!r}, model.toml says framework = {model.framework!r}: they must be the same")
    return own


def method(model: ModelSpec, framework: Framework) -> Literal["exact", "sampled", "none"]:
    """How a model's scores are explained: as `model.toml` says, else exactly where the framework can, else by sampling, as
    those of classes always are.

    Raises:
        ValueError: `model.toml` wants exact reasons where there are none.
    """
    exact = isinstance(framework, Explaining) and model.task != "multiclass"
    if model.reasons == "exact" and not exact:
        whose = "a model of several classes" if model.task == "multiclass" else f"framework {framework.NAME}"
        raise ValueError(f'reasons: found "exact", {whose} has none that are; accepted are "sampled" and "none"')
    return model.reasons or ("exact" if exact else "sampled")


def manifest(framework: Framework) -> Mapping[str, str]:
    """What metadata.json says of the framework: its name, and the version of its library, which wrote the files."""
    return {"name": framework.NAME, "version": metadata.version(framework.PACKAGE)}
