"""The folder of a model that is new: what a data scientist owns, each file complete and meant to be edited.

Packages, image and their locks are those with which the runtime itself is tested.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli import environments, synthesis
from cli.profiles import Profile
from cli.proposals import LEAK, PAIRS_LEAK, Gates
from cli.tree import HERE
from config import Config, Environment
from paved_runtime import frameworks
from paved_runtime.page import legible
from paved_runtime.spec import Boolean, Category, Column, Date, Text
from paved_runtime.synthetic import Column as Synthetic
from paved_runtime.synthetic import Outcome

PACKAGES = (*environments.LOCKS, "requirements.in", "requirements-test.in")
RARER = 100  # rows of the rarer outcome in a test's made-up data, about
MOST_ROWS = 100_000
DRAFT = Gates(
    roc_auc=0.5,
    calibration_error=1,
    champion_margin=0.01,
    suspicious_roc_auc=1,
    maximum_column_auc=LEAK,
    maximum_pair_auc=PAIRS_LEAK,
    maximum_duplicates=1,
    positive_share=(0, 1),
    minimum_rows=1,
    roc_auc_seen=(0.5, 0),
    calibration_error_seen=1,
)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a person says of a model that is new: whose it is, what for, and what it is learnt with."""

    purpose: str
    owner: str
    framework: str


def files(name: str, profile: Profile, gates: Gates, words: Words, *, config: Config, seed: int = 0) -> dict[str, str]:
    """The folder's files by their path in it, but for synthetic.py."""
    return {
        "model.toml": toml(profile, gates, words, config=config, seed=seed),
        "features.py": _features(name, list(profile.columns)),
        "training.py": _training(name, words.framework),
        f"tests/test_{name}.py": _test(name, _rows(profile, gates)),
        "Dockerfile": _copied(name, environments.sample() / "Dockerfile"),
        **{file: _copied(name, environments.proven(words.framework) / file) for file in PACKAGES},
    }


def write(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def toml(profile: Profile, gates: Gates, words: Words, *, config: Config, seed: int = 0) -> str:
    """The model's `model.toml`, with the reason beside each choice."""
    tables = [_head(words), _data(profile, gates, seed), _gates(gates), _training_table(words.framework), _serving(config), _monitoring()]
    return "\n".join(line for table in tables for line in table)


def _head(words: Words) -> Iterator[str]:
    yield "# What the road must know about this model. Every key is explained in docs/model-toml.md."
    yield f"purpose = {_text(words.purpose)}"
    yield f"owner = {_text(words.owner)}"
    yield f"framework = {_text(words.framework)}"
    yield ""


def _data(profile: Profile, gates: Gates, seed: int) -> Iterator[str]:
    yield "[data]"
    yield f"target = {_text(profile.target)}"
    yield f"positive = {_text(profile.positive)}" + _why(f"{profile.positive_share:.2%} of the rows")
    yield f"negative = {_text(profile.negative)}"
    yield from _exclude(profile.excluded)
    yield f"minimum_rows = {gates.minimum_rows}" + _why(f"{profile.file.name} has {profile.rows}")
    yield "holdout = 0.2" + _why("share of rows that training never sees")
    if seed:
        yield f"seed = {seed}"
    natural = "with so few values, equal rows are different cases"
    yield f"maximum_duplicates = {gates.maximum_duplicates}" + (_why(natural) if gates.maximum_duplicates == 1 else "")
    yield f"maximum_column_auc = {gates.maximum_column_auc}" + _why("a column that tells the outcome better than that is taken for a leak")
    yield f"maximum_pair_auc = {gates.maximum_pair_auc}" + _why("and two columns together")
    yield f"positive_share = {{ minimum = {gates.positive_share[0]}, maximum = {gates.positive_share[1]} }}"
    yield ""
    yield "# Known before the outcome, all of them? What is not belongs to exclude."
    yield "# Ranges go as far beyond what was seen, on either side, as that is wide."
    yield "[data.columns]"
    width = max(len(_key(column)) for column in profile.columns)
    for name, column in profile.columns.items():
        yield f"{_key(name):<{width}} = {_column(column)}"
    yield ""


def _exclude(excluded: Mapping[str, str]) -> Iterator[str]:
    if not excluded:
        return
    yield "exclude = ["
    for name, why in excluded.items():
        yield f"    {_text(name)},{_why(why)}"
    yield "]"


def _gates(gates: Gates) -> Iterator[str]:
    mean, spread = gates.roc_auc_seen
    yield "[gates]"
    yield f"roc_auc = {gates.roc_auc}" + _why(f"seen: {mean:.3f} ± {spread:.3f} over five splits")
    yield f"suspicious_roc_auc = {gates.suspicious_roc_auc}" + _why("better than that is too good to be true: a person is asked")
    yield f"calibration_error = {gates.calibration_error}" + _why(f"seen: up to {gates.calibration_error_seen:.3f}")
    yield ""
    yield "[gates.champion]"
    yield f"margin = {gates.champion_margin}" + _why("of ROC AUC: how far a new version may be behind the one that serves")
    yield ""
    yield "# Yours to decide: slices that must hold by themselves, and what must hold between groups of people."
    yield "# [gates.slices]"
    yield "# by = { region = [], age = [30, 60] }"
    yield "# [gates.fairness]"
    yield "# groups = { age = [30, 60] }"
    yield "# threshold = 0.5"
    yield ""
    yield "[gates.load]" + _why("what the live endpoint must stand in staging")
    yield from ("requests_per_second = 20", "seconds = 5", "p50_ms = 250", "p95_ms = 500", "p99_ms = 1000", "memory_mb = 1024", "")


def _training_table(framework: str) -> Iterator[str]:
    yield from ("[training]", 'instance_type = "ml.m5.large"', "")
    yield "[training.hyperparameters]" + _why(f"what `train` of paved_runtime/frameworks/{framework}.py makes of them stands there")
    yield from (f"{name} = {json.dumps(value)}" for name, value in frameworks.named(framework).hyperparameters("binary").items())
    yield ""


def _serving(config: Config) -> Iterator[str]:
    for environment in config.environments:
        guarded = environment.approved_only or (environment == config.environments[-1] and len(config.environments) > 1)
        yield f"[serving.{_key(environment.name)}]"
        yield 'instance_type = "ml.m5.large"'
        yield from _fleet(environment) if guarded else ("instances = 1", 'deployment = { policy = "all-at-once", bake_minutes = 1 }')
        yield ""


def _fleet(_: Environment) -> Iterator[str]:
    yield "instances = 2"
    yield 'deployment = { policy = "canary", size_percent = 50, bake_minutes = 10 }'


def _monitoring() -> Iterator[str]:
    yield "[monitoring]" + _why("of the last environment")
    yield from ("every_hours = 24", "window_hours = 24", "minimum_rows = 500", "", "[monitoring.retraining]")
    yield 'on = ["drift"]' + _why('also: "schedule", "data"')
    yield from ("cooldown_hours = 24", "per_week = 2", "")


def _column(column: Column) -> str:
    if isinstance(column, Category):
        values = ", ".join(map(_text, column.values))
        stated = f'type = "category", values = [{values}]'
    elif isinstance(column, Boolean):
        stated = f'type = "boolean", true = {_text(column.true)}, false = {_text(column.false)}'
    elif isinstance(column, Text):
        stated = f'type = "text", maximum_length = {column.maximum_length}'
    elif isinstance(column, Date):
        stated = f'type = "date", minimum = {column.minimum}, maximum = {column.maximum}'
    else:
        stated = f'type = "{column.type}", minimum = {_number(column.minimum)}, maximum = {_number(column.maximum)}'
    return f"{{ {stated}{f', missing = {column.missing:g}' if column.missing else ''} }}"


def _number(value: float) -> str:
    return repr(value)


def _key(name: str) -> str:
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isalnum() and bare.isascii() else _text(name)


def _text(text: str) -> str:
    """A basic string of TOML, which JSON's strings are."""
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def _why(reason: str) -> str:
    return f"  # {legible(' '.join(reason.split()))}"


def _features(name: str, columns: Sequence[str]) -> str:
    listed = "\n".join(f"    {_text(column)}," for column in columns)
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
    rarer = min(profile.positive_share, 1 - profile.positive_share)
    return max(4000, gates.minimum_rows, min(math.ceil(RARER / rarer / 1000) * 1000, MOST_ROWS))


def _test(name: str, rows: int) -> str:
    return f'''"""{name}: what its features promise, and that it takes the container's road on made-up rows."""

from __future__ import annotations

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
'''


def _copied(name: str, file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    return text.replace(str(file.parent.relative_to(HERE)), f"model_code/{name}").replace(file.parent.name, name)


def synthetic(name: str, columns: Mapping[str, Synthetic], outcome: Outcome) -> str:
    """The model's `synthetic.py`."""
    drawn = "\n".join(f"    {_text(column)}: {synthesis.source(values)}," for column, values in columns.items())
    kinds = ", ".join(sorted({type(values).__name__ for values in columns.values()} | {"Column", "Outcome", "program"}))
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
