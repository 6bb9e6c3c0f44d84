"""What is tried: one framework, and the model that it learns here, whose folder is written from `model/`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paved_runtime import contract, frameworks, plugin, spec, synthetic
from paved_runtime.frameworks import Explaining, Framework
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import Category, Integer, ModelSpec, Number
from paved_runtime.spec import Column as Kind
from paved_runtime.synthetic import Column, Numbers, Outcome, Values
from paved_runtime.table import Matrix

HERE = Path(__file__).parent
ROWS = 2500
COLUMNS: dict[str, Column] = {
    "age": Numbers(quantiles=[18, 30, 45, 60, 100], lift=[0.6, 0.2, -0.2, -0.6], whole=True),
    "income": Numbers(quantiles=[0, 20_000, 45_000, 90_000, 1_000_000], lift=[-1.2, -0.4, 0.4, 1.2], missing=0.15),
    "debt": Numbers(quantiles=[-50_000, -500, 0, 500, 50_000], lift=[0.3, 0.1, -0.1, -0.3]),
    "visits": Numbers(quantiles=[0, 2, 5, 10, 60], lift=[-0.9, -0.3, 0.3, 0.9], whole=True),
    "region": Values(weights={"north": 4, "east": 3, "south": 2, "west": 1}, lift={"east": 0.3, "south": 0.6, "west": 0.9}, missing=0.1),
}
OUTCOME = Outcome(target="accepted", positive="yes", negative="no", intercept=-0.4)
Scores = Callable[[Matrix], Matrix]


@dataclass(frozen=True)
class Subject:
    """A framework and its model, as the rows of a file have taught it."""

    framework: Framework
    model: ModelSpec
    run: TrainingRun
    learnt: object

    @property
    def explains(self) -> bool:
        """Whether it shares its scores out exactly."""
        return isinstance(self.framework, Explaining)

    def save(self, folder: Path) -> Path:
        """Write what was learnt into a folder of its own."""
        folder.mkdir()
        self.framework.save(self.learnt, folder)
        return folder

    def trained(self, matrix: Matrix) -> Matrix:
        """What the model in memory says."""
        return self.framework.predict(self.learnt, matrix)


def name(framework: str) -> str:
    """What its model is called."""
    return f"{framework}_scoring"


def write_model(framework: str, models: Path) -> None:
    """Write the folder of the model that a framework learns, with the hyperparameters that a new model begins with."""
    folder = models / name(framework)
    shutil.copytree(HERE / "model", folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / "model.toml").read_text(encoding="utf-8")
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in frameworks.named(framework).hyperparameters("binary").items())
    content = f'framework = "{framework}"\n{text}\n[training.hyperparameters]\n{settings}'
    (folder / "model.toml").write_text(content, encoding="utf-8")
    (folder / "training.py").write_text(f"from paved_runtime.frameworks.{framework} import train as train\n", encoding="utf-8")


def write_data(file: Path, seed: int) -> Path:
    """Write a data set that the model's contract accepts."""
    synthetic.write(file, COLUMNS, OUTCOME, count=ROWS, seed=seed)
    return file


def run(model: ModelSpec, data: Path) -> TrainingRun:
    """What a training would learn from a file."""
    examples = contract.read(data.parent, model.data)
    matrix = plugin.features(model.name).features(examples.table)
    free = dict.fromkeys(plugin.features(model.name).NAMES, 0)
    labels = examples.labels.astype(np.float32)
    return TrainingRun(matrix=matrix, labels=labels, hyperparameters=model.training.hyperparameters, monotone=free)


def learn(framework: str, data: Path) -> Subject:
    """Teach a framework's model the rows of a file."""
    model = spec.load(name(framework))
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
