"""What is tried: one framework with one task, and the model that it learns here, whose folder is written from `model/`."""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paved_runtime import contract, frameworks, plugin, spec, tasks
from paved_runtime.frameworks import Framework
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import Category, Integer, ModelSpec, Number, TaskName
from paved_runtime.spec import Column as Kind
from paved_runtime.synthetic import Column, Numbers, Values
from paved_runtime.table import Matrix
from paved_runtime.tasks.task import Task
from paved_runtime.train import TOLERANCE

HERE = Path(__file__).parent
ROWS = 2500
COLUMNS: dict[str, Column] = {
    "age": Numbers(quantiles=[18, 30, 45, 60, 100], lift=[0.6, 0.2, -0.2, -0.6], whole=True),
    "income": Numbers(quantiles=[0, 20_000, 45_000, 90_000, 1_000_000], lift=[-1.2, -0.4, 0.4, 1.2], missing=0.15),
    "debt": Numbers(quantiles=[-50_000, -500, 0, 500, 50_000], lift=[0.3, 0.1, -0.1, -0.3]),
    "visits": Numbers(quantiles=[0, 2, 5, 10, 60], lift=[-0.9, -0.3, 0.3, 0.9], whole=True),
    "region": Values(weights={"north": 4, "east": 3, "south": 2, "west": 1}, lift={"east": 0.3, "south": 0.6, "west": 0.9}, missing=0.1),
}
TARGET = "answer"
Scores = Callable[[Matrix], Matrix]


@dataclass(frozen=True)
class Subject:
    """A framework and its model of a task, as the rows of a file have taught it."""

    framework: Framework
    model: ModelSpec
    run: TrainingRun
    learnt: object

    @property
    def task(self) -> Task:
        """What the model answers with."""
        return tasks.of(self.model.data)

    @property
    def explains(self) -> bool:
        """Whether it shares its scores out exactly."""
        return frameworks.method(self.model, self.framework) == "exact"

    @property
    def tolerance(self) -> float:
        """How far two scores of a row may be apart that are the same."""
        return TOLERANCE * self.model.data.span

    def save(self, folder: Path) -> Path:
        """Write what was learnt into a folder of its own."""
        folder.mkdir()
        self.framework.save(self.learnt, folder)
        return folder

    def trained(self, matrix: Matrix) -> Matrix:
        """What the model in memory says."""
        return self.framework.predict(self.learnt, matrix)


def home(framework: str) -> str:
    """The folder of its packages, and of the tests of it alone."""
    return f"{framework}_scoring"


def name(framework: str, task: TaskName) -> str:
    """What its model of a task is called."""
    return f"{framework}_{task}"


def write_model(framework: str, task: TaskName, models: Path) -> None:
    """Write the folder of the model that a framework learns, with the hyperparameters that a new model begins with."""
    folder = models / name(framework, task)
    shutil.copytree(HERE / "model", folder, ignore=shutil.ignore_patterns("__pycache__", "*.toml"))
    own, common = ((HERE / "model" / file).read_text(encoding="utf-8") for file in (f"{task}.toml", "model.toml"))
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in frameworks.named(framework).hyperparameters(task).items())
    content = f'framework = "{framework}"\n{own}\n{common}\n[training.hyperparameters]\n{settings}'
    (folder / "model.toml").write_text(content, encoding="utf-8")
    (folder / "training.py").write_text(f"from paved_runtime.frameworks.{framework} import train as train\n", encoding="utf-8")


def write_data(file: Path, task: TaskName, seed: int) -> Path:
    """Write a data set that the contract of the task's model accepts: each column tells the answer in part, and chance does."""
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, TARGET])
        writer.writerows(_row(task, draw) for _ in range(ROWS))
    return file


def _row(task: TaskName, draw: random.Random) -> list[str]:
    cells, strength = [], -0.4
    for column in COLUMNS.values():
        cell, lift = column.draw(draw)
        missing = draw.random() < column.missing
        cells.append("" if missing else cell)
        strength += 0 if missing else lift
    chance = draw.random()
    return [*cells, _answer(task, strength, math.log(chance / (1 - chance)))]


def _answer(task: TaskName, strength: float, noise: float) -> str:
    if task == "binary":
        return "yes" if strength + noise > 0 else "no"
    if task == "multiclass":
        place = strength + noise / 2
        return "no" if place < -0.8 else "later" if place < 0.5 else "yes"
    return f"{min(max(50_000 + 9_000 * strength + 4_000 * noise, 0), 100_000):.2f}"


def run(model: ModelSpec, data: Path) -> TrainingRun:
    """What a training would learn from a file."""
    examples = contract.read(data.parent, model.data)
    features = plugin.features(model.name)
    return TrainingRun(
        matrix=features.features(examples.table),
        labels=examples.labels.astype(np.float32),
        task=model.task,
        classes=len(model.data.classes),
        hyperparameters=model.training.hyperparameters,
        monotone=dict.fromkeys(features.NAMES, 0),
    )


def learn(framework: str, task: TaskName, data: Path) -> Subject:
    """Teach a framework's model of a task the rows of a file."""
    model = spec.load(name(framework, task))
    taught = run(model, data)
    return Subject(frameworks.of(model), model, taught, frameworks.of(model).train(taught))


def edges(model: ModelSpec) -> Matrix:
    """Rows at the edges of the contract: every column at its least, its greatest and, where it may be, missing, the others in between."""
    ranges = list(map(_range, model.data.columns.values()))
    middle = [float((low + high) // 2) for low, high in ranges]
    rows = [middle, [float(low) for low, _ in ranges], [float(high) for _, high in ranges]]
    for at, ((low, high), column) in enumerate(zip(ranges, model.data.columns.values(), strict=True)):
        cells = (low, high, *([np.nan] if column.missing else []))
        rows += [[*middle[:at], float(cell), *middle[at + 1 :]] for cell in cells]
    rows.append([np.nan if column.missing else cell for column, cell in zip(model.data.columns.values(), middle, strict=True)])
    return np.array(rows, dtype=np.float32)


def _range(column: Kind) -> tuple[float, float]:
    """From which number to which a column goes, as feature code sees it."""
    if isinstance(column, Category):
        return 0, len(column.values) - 1
    assert isinstance(column, Integer | Number)
    return column.minimum, column.maximum


def between(matrix: Matrix, count: int) -> Matrix:
    """Rows whose cells lie where trees split: halfway between two neighbouring values of a column, or the next float32 to either side."""
    draw = np.random.default_rng(11)
    rows = matrix[draw.integers(0, len(matrix), count)].copy()
    for column in rows.T:
        values = np.unique(column[~np.isnan(column)]).astype(np.float64)
        halves = ((values[:-1] + values[1:]) / 2).astype(np.float32)
        toward = np.array([-np.inf, np.inf], dtype=np.float32)
        split = halves[draw.integers(0, len(halves), count)]
        moved = np.nextafter(split, toward[draw.integers(0, 2, count)])
        column[:] = np.where(np.isnan(column), column, np.where(draw.random(count) < 0.5, split, moved))
    return rows
