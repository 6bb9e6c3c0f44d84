"""A model that is learnt with another framework from here on, as docs/new-model.md says: its folder's own files change, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from cli import model_toml, scaffold
from paved_runtime import spec

TABLE = re.compile(r"\[training\.hyperparameters\].*?\n\n", re.DOTALL)


def exchange(folder: Path, framework: str, hyperparameters: Mapping[str, float | str]) -> None:
    """Write what changes in a model's folder: the framework and its hyperparameters in model.toml, `training.py` and the packages.

    `hyperparameters` take the place of those with which the framework begins.
    """
    model, toml = spec.load(folder.name, folder.parent), folder / "model.toml"
    table = "\n".join(model_toml.hyperparameters(model.task, framework)) + "\n\n"
    for name, value in hyperparameters.items():
        table = re.sub(rf"(?m)^{name} = .*$", f"{name} = {json.dumps(value)}", table)
    text = toml.read_text().replace(f'framework = "{model.framework}"', f'framework = "{framework}"')
    toml.write_text(TABLE.sub(lambda _: table, text))
    scaffold.write(folder, scaffold.learning(folder.name, framework))
    learnt = spec.load(folder.name, folder.parent)
    assert (learnt.framework, hyperparameters.items() <= learnt.training.hyperparameters.items()) == (framework, True)
