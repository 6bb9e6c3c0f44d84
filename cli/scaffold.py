"""The folder of a model that is new: what a data scientist owns, each file complete and meant to be edited.

Packages, image and their locks are those with which the runtime itself is tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli import environments, model_toml, synthesis
from cli.model_toml import Words
from cli.profiles import Profile
from cli.proposals import Gates
from cli.tree import HERE
from config import Config
from paved_runtime.spec import TaskName
from paved_runtime.synthetic import Column as Synthetic
from paved_runtime.synthetic import Target

PACKAGES = (*environments.LOCKS, "requirements.in", "requirements-test.in")
RARER = 100  # rows of the rarest outcome in a test's made-up data, about
MOST_ROWS = 100_000


def files(name: str, profile: Profile, gates: Gates, words: Words, *, config: Config, seed: int = 0) -> dict[str, str]:
    """The folder's files by their path in it, but for synthetic.py."""
    return {
        "model.toml": model_toml.write(profile, gates, words, config=config, seed=seed),
        "features.py": _features(name, list(profile.columns)),
        f"tests/test_{name}.py": _test(name, profile.task, _rows(profile, gates)),
        "Dockerfile": _copied(name, environments.sample() / "Dockerfile"),
        **learning(name, words.framework),
    }


def learning(name: str, framework: str) -> dict[str, str]:
    """Those of the folder's files that another framework changes beside model.toml: how it learns, and with which packages."""
    packages = {file: _copied(name, environments.proven(framework) / file) for file in PACKAGES}
    return {"training.py": _training(name, framework), **packages}


def write(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _features(name: str, columns: Sequence[str]) -> str:
    listed = "\n".join(f"    {model_toml.string(column)}," for column in columns)
    return f'''"""What {name} looks at: the columns as they are.

Add what you derive from them: its names to NAMES, and its values to `features`, in the same order.
"""

from __future__ import annotations

import numpy as np

from paved_runtime.table import Matrix, Table

NAMES = (
{listed}
)


def features(table: Table) -> Matrix:
    """float32 [rows, len(NAMES)]. In the table, a category is the position of its value in `model.toml`, a boolean 0 or 1, a date its days
    since 1970-01-01, a text its length (`table.texts` has what it says), and a missing cell NaN.
    """
    return np.column_stack([table[name] for name in NAMES]).astype(np.float32)
'''


def _training(name: str, framework: str) -> str:
    return f'''"""How {name} learns: as the runtime's models of its framework do. A `train` of your own that takes a run takes its place."""

from paved_runtime.frameworks.{framework} import train as train
'''


def _rows(profile: Profile, gates: Gates) -> int:
    """How many made-up rows a test needs: the contract's least, and enough of the rarer outcome, but no more than it takes seconds."""
    return max(4000, gates.minimum_rows, min(math.ceil(RARER / profile.outcomes.rarest / 1000) * 1000, MOST_ROWS))


SCORES: Mapping[TaskName, str] = {  # what a score is: a new model's own test says it
    "binary": "assert all(0 <= score <= 1 for score in scores)  # the probability of SPEC.data.positive",
    "multiclass": """assert all(len(row) == len(SPEC.data.classes) for row in scores)  # the probability of each class, in their order
    assert all(sum(row) == pytest.approx(1, abs=1e-4) for row in scores)""",
    "regression": "assert np.isfinite(scores).all()  # numbers in the target's own unit",
}


def _test(name: str, task: TaskName, rows: int) -> str:
    return f'''"""{name}: what its features promise, and that it takes the container's road on made-up rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_code.{name} import features
from paved_runtime import contract, spec, testing

SPEC = spec.load("{name}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic data set."""
    return testing.synthetic("{name}", tmp_path_factory.mktemp("data") / "data.csv", rows={rows}, seed=3)


def test_a_row_has_the_same_features_alone_and_among_others(data: Path) -> None:
    table = contract.read(data.parent, SPEC.data).take(np.arange(50)).table
    together = features.features(table)

    assert together.shape == (50, len(features.NAMES))
    for row, expected in enumerate(together):
        assert np.array_equal(features.features(table.take(np.array([row]))), expected[None], equal_nan=True)


def test_it_is_prepared_trained_and_evaluated(data: Path, tmp_path: Path) -> None:
    trained = testing.train("{name}", data, tmp_path / "ml")

    assert (trained / "model/evaluation.json").is_file()
    golden = json.loads((trained / "model/golden.json").read_text())
    scores = [score for request in golden["requests"] for score in request["scores"]]
    {SCORES[task]}
'''


def _copied(name: str, file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    return text.replace(str(file.parent.relative_to(HERE)), f"model_code/{name}").replace(file.parent.name, name)


def synthetic(name: str, columns: Mapping[str, Synthetic], outcome: Target) -> str:
    """The model's `synthetic.py`."""
    drawn = "\n".join(f"    {model_toml.string(column)}: {synthesis.source(values)}," for column, values in columns.items())
    kinds = ", ".join(sorted({type(values).__name__ for values in columns.values()} | {"Column", type(outcome).__name__, "program"}))
    return f'''"""Makes up a data set with the columns of {name}, so that the road can be driven without the real one.

No row describes anybody.

    python model_code/{name}/synthetic.py --rows 20000 --seed 7 --out data.csv
"""

from paved_runtime.synthetic import {kinds}

OUTCOME = {outcome!r}
COLUMNS: dict[str, Column] = {{
{drawn}
}}

if __name__ == "__main__":
    program(COLUMNS, OUTCOME)
'''
